/// An LLM client actor: runs one exchange with an upstream at a time.
///
/// Deltas go straight to the requester, within its credit: the exchange stops reading the upstream
/// when the credit is used up. The complete answer goes to the conversation. When the actor dies,
/// its exchange is cancelled and its order tells the conversation.
#pragma once

#include "http/upstream.hpp"
#include "messages/interfaces.hpp"

#include <caf/fwd.hpp>

#include <cstddef>
#include <memory>

namespace lang_agent {

/// `credit`: bytes of deltas that may be under way to a requester.
llm_client_actor spawn_llm_client(caf::actor_system& system, const llm_pool_actor& pool,
                                  std::shared_ptr<http::upstream> upstream, std::size_t credit);

} // namespace lang_agent
