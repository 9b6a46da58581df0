/// The retention actor: deletes threads that had no turn for longer than their tenant keeps them.
///
/// Walks through the threads of each such tenant in small steps with pauses between them. Deleting
/// goes through the thread's conversation, like everything that changes a thread: one that has a
/// turn is left alone.
#pragma once

#include "actors/directory.hpp"
#include "actors/journal.hpp"
#include "messages/interfaces.hpp"

#include <caf/fwd.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace lang_agent {

struct retention_rule {
  std::string tenant;
  std::chrono::milliseconds ttl{0};

  bool operator==(const retention_rule&) const = default;
};

retention_actor spawn_retention(caf::actor_system& system, std::vector<retention_rule> rules,
                                const directory_shards& directory, const journal_port& journal);

} // namespace lang_agent
