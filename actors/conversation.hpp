/// The conversation actor: one thread of one tenant.
///
/// Owns the history and runs one turn at a time; others wait in order of arrival, within a bound
/// and a time. A turn: merge, order to the pool, answer, commit through the journal, then the
/// requester hears of it. A turn that fails or is cancelled on the way leaves no trace. When the
/// actor dies, its turns die with it, and turns tell their requesters themselves.
#pragma once

#include "actors/context.hpp"
#include "config/settings.hpp"
#include "messages/interfaces.hpp"
#include "messages/thread_key.hpp"

#include <caf/fwd.hpp>

namespace lang_agent {

struct conversation_options {
  busy_policy on_busy = busy_policy::enqueue;
  std::size_t max_waiting = 1024;
  std::chrono::milliseconds wait_timeout{600'000};
  context_limits limits;
};

/// `stateless`: serves one turn without history and without the journal, then ends.
conversation_actor spawn_conversation(caf::actor_system& system, const thread_key& key,
                                      bool stateless, const conversation_options& options,
                                      const llm_pool_actor& pool, const journal_actor& journal);

} // namespace lang_agent
