/// One thread of the memory engine.
#pragma once

#include "messages/threads.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace lang_agent::store {

class memory_thread {
public:
  std::uint64_t rank = 0; ///< the place among its tenant's threads
  std::uint64_t version = 0;
  thread_info info = {}; ///< with instructions

  /// What `undo_turn` needs.
  struct before_turn {
    std::uint64_t version;
    thread_info info;
    std::size_t messages;
    std::vector<std::size_t> superseded;
  };

  /// The turn is one that can be appended.
  before_turn append(const turn_record& turn);
  void undo_turn(before_turn before);

  /// Gives the message the next number.
  void add(stored_message x);

  /// Forgets all messages after the first `count`. None of them may have superseded another one.
  void truncate(std::size_t count);

  std::size_t message_count() const {
    return messages_.size();
  }

  std::size_t live_count() const {
    return live_.size();
  }

  /// How many live messages there are up to this one; unset: it is none of them.
  std::optional<std::size_t> live_up_to(std::uint64_t number) const;

  /// JSON and reasoning of the instructions and the first `count` live messages.
  std::uint64_t fork_bytes(std::size_t count) const;

  /// Of the instructions and all messages. Counted anew: only deletions and imports ask.
  std::uint64_t bytes() const;

  /// Adds the first `count` live messages of another thread, and counts its turns.
  void copy_live(const memory_thread& from, std::size_t count);

  thread_record load(const context_limits& limits) const;
  page<stored_message> list(const list_messages& query) const;
  thread_info without_instructions() const;

private:
  const chat_message& live(std::size_t i) const {
    return *messages_[live_[i]].message;
  }

  std::vector<std::size_t> supersede_after(std::size_t keep);
  void recount();

  std::vector<stored_message> messages_; ///< all ever stored; numbers are indices plus 1
  std::vector<std::size_t> live_;        ///< indices of those that are not superseded, ascending
};

} // namespace lang_agent::store
