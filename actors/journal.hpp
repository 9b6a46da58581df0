/// The journal actor: owns the thread store and is the only one to touch it.
#pragma once

#include "messages/interfaces.hpp"
#include "store/thread_store.hpp"

#include <caf/fwd.hpp>

#include <memory>

namespace lang_agent {

/// The store must not block: the journal shares the pool's threads with all other actors.
journal_actor spawn_journal(caf::actor_system& system, std::shared_ptr<store::thread_store> store);

} // namespace lang_agent
