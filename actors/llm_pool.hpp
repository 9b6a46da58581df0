/// The LLM pool: finds an upstream for each order and a free LLM client to run it.
///
/// Within a group of the order's route it takes the less loaded of two random upstreams; groups are
/// fall-backs in order. Where all are busy, orders wait in a bounded queue for a bounded time. An
/// attempt that fails before its requester has seen anything is made again, on the same upstream
/// after a pause or on another one, as `rule_for` says and as far as the retry budget goes. Clients
/// are spawned as they are needed; one that crashes is replaced when the next order needs it, and
/// its order tells its customer by itself. When the pool ends, it ends its clients.
#pragma once

#include "actors/upstream_counters.hpp"
#include "actors/upstream_target.hpp"
#include "config/settings.hpp"
#include "messages/interfaces.hpp"

#include <caf/fwd.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace lang_agent {

struct llm_pool_options {
  upstream_list upstreams;
  std::vector<std::vector<std::size_t>> groups; ///< of all routes, by number: their members
  routing_settings routing = {};
  retry_settings retry = {};
  breaker_settings breaker = {};
  std::uint64_t seed = 0;                  ///< of its choices and pauses
  std::shared_ptr<pool_counters> counters; ///< one for each upstream
};

using llm_client_factory = std::function<llm_client_actor(const llm_pool_actor& pool)>;

llm_pool_actor spawn_llm_pool(caf::actor_system& system, const llm_pool_options& options,
                              llm_client_factory make);

} // namespace lang_agent
