/// What unit tests share: CAF's test framework and short ways to make domain values.
#pragma once

#include <caf/all.hpp>
#include <caf/test/unit_test.hpp>

#define FAIL CAF_FAIL // dsl.hpp uses it without defining it
#include <caf/test/dsl.hpp>

#include "http/request_codec.hpp"
#include "messages/chat.hpp"

#include <string>
#include <variant>

namespace lang_agent::test {

/// The messages of a request body, as the codec decodes them.
inline message_list messages_of(const std::string& json_array) {
  auto decoded = http::decode_chat_request(R"({"model":"m","messages":)" + json_array + "}", {});
  if (const auto* why = std::get_if<failure>(&decoded))
    CAF_FAIL("test message is invalid: " << why->message);
  auto& request = std::get<http::chat_request>(decoded);
  message_list out = request.instructions;
  out.insert(out.end(), request.messages.begin(), request.messages.end());
  return out;
}

inline message_ptr message(const std::string& role, const std::string& text) {
  return messages_of(R"([{"role":")" + role + R"(","content":")" + text + R"("}])").front();
}

/// Their JSON, joined: readable in a failed check.
inline std::string texts_of(const message_list& messages) {
  std::string out;
  for (const auto& x : messages)
    out += (out.empty() ? "" : " ") + x->json;
  return out;
}

} // namespace lang_agent::test
