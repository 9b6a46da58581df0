/// What a conversation has in memory of its thread, and what a turn makes of it. No actor, no I/O.
#pragma once

#include "actors/context.hpp"
#include "messages/threads.hpp"

#include <cstddef>
#include <optional>

namespace lang_agent {

/// What a turn will add to a thread, and what it shows to the upstream.
struct planned_turn {
  std::size_t keep = 0;                          ///< live messages of the thread that stay
  std::optional<message_list> instructions = {}; ///< new ones of the thread, if they change
  message_list fresh = {};                       ///< what the request adds
  prompt shown = {};
};

class history {
public:
  history() = default;
  explicit history(thread_record record);

  /// The store has no such thread.
  bool is_new() const {
    return loaded_.version == 0;
  }

  /// Whether a request can be merged with what is loaded. One that brings answers along may repeat
  /// the thread from its beginning, which a thread loaded in part does not know.
  bool is_enough_for(const message_list& request) const;

  /// Merges a request (its instructions and its other messages) with the thread.
  planned_turn plan(const message_list& instructions, const message_list& messages,
                    const context_limits& limits) const;

  /// The prompt of a plan once more, with other limits.
  prompt show(const planned_turn& turn, const context_limits& limits) const;

  /// The turn as the store gets it; without what is only for retries.
  turn_record record(const planned_turn& turn, const thread_key& key,
                     const message_ptr& answer) const;

  /// The turn is stored.
  void apply(const planned_turn& turn, const message_ptr& answer);

  /// Lets go of what no prompt within the limits needs any more, when that is worth it.
  void trim(const context_limits& limits);

  /// Memory that this takes, about.
  std::size_t bytes() const {
    return bytes_;
  }

private:
  /// Of the loaded messages, those that the plan keeps.
  std::size_t kept(const planned_turn& turn) const {
    return turn.keep - loaded_.skipped;
  }

  thread_record loaded_;
  std::size_t bytes_ = 0;
};

} // namespace lang_agent
