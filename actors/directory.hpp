/// A directory shard: the conversations of a part of all threads.
///
/// Threads are spread over a fixed number of shards by their key's hash, so that no shard is on
/// every request's way. All turns of a thread pass its shard, which finds or spawns the thread's
/// conversation actor. It watches its conversations: one that crashed is replaced at the next turn.
/// When a shard ends, it ends its conversations.
///
/// A conversation that had nothing to do for a while leaves memory; the next turn spawns another
/// one, which loads the thread. That a conversation has nothing to do is known for sure: whatever
/// the shard sends there holds a token until it is done.
#pragma once

#include "actors/active_memory.hpp"
#include "actors/journal.hpp"
#include "messages/interfaces.hpp"
#include "messages/thread_key.hpp"

#include <caf/fwd.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

namespace lang_agent {

using conversation_factory = std::function<conversation_actor(const thread_key& key, bool stateless,
                                                              const footprint_ptr& memory)>;

struct directory_options {
  std::chrono::milliseconds idle_after{300'000}; ///< then a conversation leaves memory
  std::size_t max_active_bytes = 0; ///< of all shards; above, the least recently used leave at once
  active_memory memory = std::make_shared<std::atomic<std::size_t>>(0);
  journal_port journal = {}; ///< for changes of threads whose conversation is not in memory
};

directory_actor spawn_directory(caf::actor_system& system, const directory_options& options,
                                conversation_factory make);

/// All shards. Immutable, shared by all requests.
using directory_shards = std::shared_ptr<const std::vector<directory_actor>>;

inline const directory_actor& shard_of(const directory_shards& shards, const thread_key& key) {
  return (*shards)[std::hash<thread_key>{}(key) % shards->size()];
}

} // namespace lang_agent
