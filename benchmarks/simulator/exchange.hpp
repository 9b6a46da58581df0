/// A request as the simulator reads it, and the bytes of answers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lang_agent::simulator {

struct request {
  std::uint64_t connection = 0;
  std::string method = {};
  std::string path = {};
  std::string query = {};
  std::string key = {};        ///< of `Authorization: Bearer`
  std::string request_id = {}; ///< `x-request-id`
  std::string body = {};
  bool keep_alive = true;
};

constexpr std::string_view json_type = "application/json";

/// The head of an answer whose size is known. `fields` are further lines, each with its end.
std::string sized_head(int status, std::string_view type, std::size_t size, bool keep_alive,
                       std::string_view fields = {});

/// The head of a stream of events in chunks.
std::string stream_head(bool keep_alive, std::string_view fields = {});

/// A whole answer.
std::string whole_answer(int status, std::string_view type, std::string_view body, bool keep_alive,
                         std::string_view fields = {});

/// Appends `bytes` as one chunk.
void append_chunk(std::string& out, std::string_view bytes);

constexpr std::string_view last_chunk = "0\r\n\r\n";

/// OpenAI's error object. Empty `param` and `code` are null.
std::string error_body(std::string_view message, std::string_view type, std::string_view param = {},
                       std::string_view code = {});

} // namespace lang_agent::simulator
