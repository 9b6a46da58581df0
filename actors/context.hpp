/// What of a thread goes upstream: healed and within the budget. Pure functions.
#pragma once

#include "messages/threads.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>

namespace lang_agent {

struct prompt {
  message_list messages = {};
  context_size size = {};
  /// The id of a tool message among the new ones that answers no call: the client's mistake.
  std::optional<std::string> stray_answer = {};
};

/// Instructions first, always. Then the newest turns that fit the limits, never less than the last
/// one; a turn starts at a user message, so tool calls stay with their answers. Calls without an
/// answer, answers without a call and empty assistant messages are left out. `fresh` are the new
/// messages, after `history`.
prompt build_prompt(const message_list& instructions, std::span<const message_ptr> history,
                    const message_list& fresh, const context_limits& limits);

} // namespace lang_agent
