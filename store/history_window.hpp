/// How much of a history has to be loaded.
#pragma once

#include "messages/threads.hpp"

#include <cstddef>

namespace lang_agent::store {

/// Is shown live messages from the newest to the oldest and says when the ones seen are enough:
/// they begin with a turn, and all turns that fit the limits are among them. A turn begins at a
/// user message that follows no other user message.
class history_window {
public:
  explicit history_window(const context_limits& limits) : limits_(limits) {}

  /// `x` is older than all before. True: enough; `x` itself is no longer needed.
  bool is_enough_before(const chat_message& x) {
    if (last_was_user_ && x.who != role::user)
      kept_ = seen_;
    if (kept_ > 0 && is_full_)
      return true;
    ++seen_;
    tokens_ += x.tokens;
    last_was_user_ = x.who == role::user;
    is_full_ = (limits_.max_messages != 0 && seen_ >= limits_.max_messages)
               || (limits_.max_tokens != 0 && tokens_ >= limits_.max_tokens);
    return false;
  }

  /// How many of the newest messages to keep. `all`: there was none older than those seen.
  std::size_t kept(bool all) const {
    return all ? seen_ : kept_;
  }

private:
  context_limits limits_;
  std::size_t seen_ = 0;
  std::size_t kept_ = 0;
  std::size_t tokens_ = 0;
  bool last_was_user_ = false;
  bool is_full_ = false;
};

} // namespace lang_agent::store
