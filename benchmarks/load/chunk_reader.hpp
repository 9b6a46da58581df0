/// Reads chunks of a stream, plain answers and error objects as far as a load test needs them,
/// without building a document.
#pragma once

#include <rapidjson/reader.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lang_agent::load {

/// What one JSON object says.
struct chunk {
  std::string content = {}; ///< of all choices, with what a reasoning model thinks aloud
  bool is_error = false;    ///< has an error object
  std::string error_code = {};
  std::string error_type = {};
  std::string error_message = {};
  bool unfinished = false; ///< a plain answer with "finish_reason": null
  std::optional<std::uint64_t> prompt_tokens = {};
  std::optional<std::uint64_t> completion_tokens = {};
};

/// Keeps its memory from chunk to chunk: one for all streams.
class chunk_reader {
public:
  /// Null: no JSON object. Else valid until the next call.
  const chunk* read(std::string_view json);

private:
  rapidjson::Reader reader_;
  chunk chunk_;
};

} // namespace lang_agent::load
