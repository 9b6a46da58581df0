/// A directory shard: the conversations of a part of all threads.
///
/// Threads are spread over a fixed number of shards by their key's hash, so that no shard is on
/// every request's way. All turns of a thread pass its shard, which finds or spawns the thread's
/// conversation actor. It watches its conversations: one that crashed is replaced at the next turn.
/// When a shard ends, it ends its conversations.
#pragma once

#include "messages/interfaces.hpp"
#include "messages/thread_key.hpp"

#include <caf/fwd.hpp>

#include <functional>
#include <memory>
#include <vector>

namespace lang_agent {

using conversation_factory =
    std::function<conversation_actor(const thread_key& key, bool stateless)>;

directory_actor spawn_directory(caf::actor_system& system, conversation_factory make);

/// All shards. Immutable, shared by all requests.
using directory_shards = std::shared_ptr<const std::vector<directory_actor>>;

inline const directory_actor& shard_of(const directory_shards& shards, const thread_key& key) {
  return (*shards)[std::hash<thread_key>{}(key) % shards->size()];
}

} // namespace lang_agent
