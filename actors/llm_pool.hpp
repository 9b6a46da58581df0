/// The LLM pool: gives each order to a free LLM client actor of the upstream.
///
/// Clients are spawned as they are needed, up to a bound; beyond it orders wait in a bounded queue
/// for a bounded time. A client that crashes is replaced when the next order needs it; its order
/// tells its customer by itself. When the pool ends, it ends its clients.
#pragma once

#include "messages/interfaces.hpp"

#include <caf/fwd.hpp>

#include <chrono>
#include <cstddef>
#include <functional>

namespace lang_agent {

struct llm_pool_options {
  std::size_t max_concurrency = 20'000;
  std::size_t max_waiting = 10'000;
  std::chrono::milliseconds wait_timeout{30'000};
};

using llm_client_factory = std::function<llm_client_actor(const llm_pool_actor& pool)>;

llm_pool_actor spawn_llm_pool(caf::actor_system& system, const llm_pool_options& options,
                              llm_client_factory make);

} // namespace lang_agent
