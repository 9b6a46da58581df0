/// What the model says: the built-in model's words and all that OpenAI wraps them in.
#pragma once

#include "benchmarks/simulator/settings.hpp"
#include "http/request_codec.hpp"
#include "messages/chat.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace lang_agent::simulator {

struct spoken {
  std::vector<std::string> words; ///< each with the blank after it
  answer whole;
};

/// Deterministic: the same request under the same seed and length gives the same words.
spoken speak(const http::chat_request& asked, std::uint64_t seed, std::size_t length);

} // namespace lang_agent::simulator
