/// What actors may do to stored messages without knowing JSON.
#pragma once

#include "messages/chat.hpp"

#include <string>
#include <unordered_set>

namespace lang_agent::http {

/// The same assistant message with only those tool calls whose id is in `kept`; null when nothing
/// would be left of it.
message_ptr with_calls(const chat_message& message, const std::unordered_set<std::string>& kept);

/// The text of a message, without its other parts.
std::string text_of(const chat_message& message);

} // namespace lang_agent::http
