/// JSON text helpers shared by the codecs. RapidJSON itself stays inside the codecs' .cpp files.
#pragma once

#include "messages/chat.hpp"
#include "messages/error.hpp"

#include <string>
#include <string_view>

namespace lang_agent::http {

/// The text with U+FFFD in the place of bytes that are no UTF-8.
std::string repaired(std::string_view text);

/// Appends `text` as a JSON string with its quotes. UTF-8 passes as it is.
void append_json_string(std::string& out, std::string_view text);

/// The OpenAI error object of a failure: {"error":{"message","type","param","code"}}.
std::string encode_error(const failure& why);

/// The failure that names a wrong field and what is wrong with it.
failure invalid_field(const std::string& name, const std::string& problem);

/// Estimated tokens of a text: a quarter of its ASCII characters, plus all others.
std::uint32_t estimate_tokens(std::string_view text);

/// Estimated tokens of a prompt.
std::uint64_t estimate_tokens(const message_list& prompt);

} // namespace lang_agent::http
