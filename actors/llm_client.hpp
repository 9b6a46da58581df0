/// An LLM client actor: runs one attempt at an upstream at a time.
///
/// Deltas go straight to the requester, within its credit: the exchange stops reading the upstream
/// when the credit is used up. The complete answer goes to the conversation, a failure to the pool,
/// with the order. When the actor dies, its exchange is cancelled and its order tells the
/// conversation.
#pragma once

#include "actors/upstream_target.hpp"
#include "messages/interfaces.hpp"

#include <caf/fwd.hpp>

#include <cstddef>

namespace lang_agent {

/// `credit`: bytes of deltas that may be under way to a requester.
llm_client_actor spawn_llm_client(caf::actor_system& system, const llm_pool_actor& pool,
                                  upstream_list upstreams, std::size_t credit);

} // namespace lang_agent
