/// The body of POST /v1/chat/completions: validation, and splitting into what the thread keeps and
/// what only this turn needs. Source: OpenAI's OpenAPI document 2.3.0, plus `thread_id`.
#pragma once

#include "messages/chat.hpp"
#include "messages/error.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace lang_agent::http {

struct decode_options {
  unsigned max_depth = 128;
  std::size_t max_messages = 20'000;
  std::optional<double> temperature = 0.7;      ///< added when absent
  std::optional<std::int64_t> max_tokens = 500; ///< added when absent
  std::string default_thread = "3";             ///< empty: stateless
};

struct chat_request {
  std::string thread; ///< canonical id; empty: stateless
  chat_parameters parameters;
  message_list instructions;
  message_list messages; ///< without the instructions
};

/// Errors name the field in `param`; nothing of a refused request goes anywhere.
std::variant<chat_request, failure> decode_chat_request(std::string_view body,
                                                        const decode_options& options);

} // namespace lang_agent::http
