/// The conversation actor: one thread of one tenant.
///
/// Owns what is loaded of the thread and runs one turn at a time; others wait in order of arrival,
/// within a bound and a time. A turn: merge, order to the pool, answer, commit through the journal,
/// then the requester hears of it. A turn that fails or is cancelled on the way leaves no trace.
/// Retries of a request join its turn, or get the answer that it had. When the actor dies, its
/// turns die with it, and turns tell their requesters themselves.
///
/// Changes of the whole thread (deleting, forking, importing) come through its conversation, so
/// that no turn ever runs on a history that is no longer there.
#pragma once

#include "actors/active_memory.hpp"
#include "actors/journal.hpp"
#include "config/settings.hpp"
#include "messages/interfaces.hpp"
#include "messages/thread_key.hpp"
#include "messages/threads.hpp"

#include <caf/fwd.hpp>

namespace lang_agent {

struct conversation_options {
  busy_policy on_busy = busy_policy::enqueue;
  std::size_t max_waiting = 1024;
  std::chrono::milliseconds wait_timeout{600'000};
  context_limits limits;
  bool retry_with_less_context = true; ///< once, when the upstream says that it was too much
  std::chrono::milliseconds replay_window{600'000}; ///< 0: retries are turns of their own
};

/// `stateless`: serves one turn without history and without the journal, then ends.
conversation_actor spawn_conversation(caf::actor_system& system, const thread_key& key,
                                      bool stateless, const conversation_options& options,
                                      const llm_pool_actor& pool, const journal_port& journal,
                                      footprint_ptr footprint);

} // namespace lang_agent
