/// Chat messages: from JSON to the domain type, with validation; and back where a stored one must
/// be changed. Field rules: OpenAI's POST /chat/completions.
#pragma once

#include "http/dom.hpp"
#include "messages/chat.hpp"
#include "messages/error.hpp"

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace lang_agent::http {

/// Checks and decodes one element of a request's `messages`. `raw` is its text, which travels as it
/// is; `where` names it in errors, e.g. "messages[2]".
std::variant<message_ptr, failure> decode_message(const dom::value& x, std::string_view raw,
                                                  const std::string& where);

/// All text of a content, string or parts; empty when it has none. Null is no content.
std::string content_text(const dom::value* content);

/// The history entry for an answer's message (strictly shaped, as `answer_choice::message`).
message_ptr history_entry(const dom::value& message);

} // namespace lang_agent::http
