/// Where threads are kept. Engines implement it; actors use it through the journal actor only.
#pragma once

#include "messages/threads.hpp"

#include <span>
#include <stdexcept>
#include <vector>

namespace lang_agent::store {

/// An engine could not do what was asked; nothing of it was done.
class storage_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// Not thread-safe: one owner. All calls may block and may throw `storage_error`.
class thread_store {
public:
  virtual ~thread_store() = default;

  // Reads see what has been committed.

  /// The newest messages that a prompt within the limits can hold, at least the last turn.
  virtual thread_record load(const thread_key& key, const context_limits& limits) = 0;

  virtual replay_result find_replay(const replay_query& query) = 0;
  virtual query_result ask(const store_query& query) = 0;

  /// Makes the changes in order, as one durable transaction: when it returns, what was not refused
  /// survives a crash. When it throws, none of them was made. One result per change.
  virtual std::vector<change_result> commit(std::span<const store_change> changes) = 0;

  /// One small step of clearing away: answers for replays from before `replays_before`, the
  /// contents of deleted threads and of discarded imports. True: there is more to do.
  virtual bool sweep(unix_ms replays_before) = 0;
};

} // namespace lang_agent::store
