/// What whole and streamed answers of upstreams have in common. Private to http/.
#pragma once

#include "http/dom.hpp"
#include "messages/chat.hpp"
#include "messages/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace lang_agent::http {

/// Nesting of an upstream's JSON beyond which it is refused.
inline constexpr unsigned max_upstream_depth = 128;

failure broken(std::string_view what);

token_usage make_usage(std::uint64_t prompt, std::uint64_t completion, bool estimated);

/// Empty `json` when the upstream reported none.
token_usage read_usage(const dom::value* usage);

/// One of OpenAI's five reasons.
std::string shaped_finish_reason(std::string_view reason);

/// Appends `,"name":json`.
void append_member(std::string& out, std::string_view name, std::string_view json);

/// The top-level members that are not ours to set, each after a comma.
std::string foreign_members(const dom::spanned_document& document);

/// A top-level member; null when it is absent or JSON null.
const dom::value* member_of(const dom::spanned_document& document, std::string_view name);

/// The arguments of a function. They are a string by contract; some upstreams send the object
/// itself.
std::string arguments_of(const dom::value& function);

/// {"name":...,"arguments":...}.
std::string function_json(std::string_view name, std::string_view arguments);

/// Whether an upstream says that something failed: an empty `error` says nothing.
bool has_error(const dom::spanned_document& document);

/// An answer's message, strictly shaped: role, content and refusal are always there, content is
/// text or null, tool calls are complete.
std::string shaped_message(const dom::value& message);

/// The history entry of a shaped message.
message_ptr parse_history_entry(const std::string& message);

/// What all answers end with: the history entry, and usage (estimated where there is none).
void complete_answer(answer& x, std::uint64_t prompt_tokens);

/// A choice's logprobs as JSON; empty when it has none.
std::string logprobs_of(const dom::value& choice);

std::uint32_t index_of(const dom::value& object, std::uint32_t fallback);

} // namespace lang_agent::http
