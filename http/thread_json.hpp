/// What the thread API, the lines of exports and chat requests have in common. Private to http/.
#pragma once

#include "http/answer_shape.hpp" // append_member
#include "http/dom.hpp"
#include "messages/error.hpp"
#include "messages/threads.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace lang_agent::http {

/// Appends `,"name":"text"`.
void append_text_member(std::string& out, std::string_view name, std::string_view text);

/// ,"turns":... to "metadata", and "instructions" if wanted.
void append_thread_facts(std::string& out, const thread_info& x, bool with_instructions);

/// ,"superseded":... to the end of the message.
void append_message_facts(std::string& out, const stored_message& x);

/// A thread id in a body: 42 and "42" are the same thread. `name`: of the field.
std::optional<failure> read_thread_id(std::string& out, const std::string& name,
                                      const dom::value& x);

/// OpenAI's limits; `value` may be none.
std::optional<failure> check_metadata(std::string_view name, const dom::value& value);

/// Parses an object; the failure says what is wrong without naming the text.
std::optional<failure> parse_object(dom::spanned_document& out, std::string_view text);

/// The same of a request's body; the failure names it.
std::optional<failure> parse_body(dom::spanned_document& out, std::string_view body);

/// The member of the root; null if it is absent or JSON null.
const dom::spanned_document::member* find_member(const dom::spanned_document& x,
                                                 std::string_view name);

} // namespace lang_agent::http
