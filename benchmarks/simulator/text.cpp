#include "benchmarks/simulator/text.hpp"

#include "http/builtin_upstream.hpp"
#include "http/json.hpp"

namespace lang_agent::simulator {

namespace {

std::vector<std::string> split_words(const std::string& text) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    const auto blank = text.find(' ', at);
    const auto end = blank == std::string::npos ? text.size() : blank + 1;
    words.push_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

std::string usage_json(std::uint64_t prompt, std::uint64_t completion) {
  return R"({"prompt_tokens":)" + std::to_string(prompt) + R"(,"completion_tokens":)"
         + std::to_string(completion) + R"(,"total_tokens":)" + std::to_string(prompt + completion)
         + "}";
}

} // namespace

spoken speak(const http::chat_request& asked, std::uint64_t seed, std::size_t length) {
  auto prompt = asked.instructions;
  prompt.insert(prompt.end(), asked.messages.begin(), asked.messages.end());
  http::builtin_options options;
  options.seed = seed;
  options.words = length;
  spoken out;
  out.words = split_words(http::builtin_answer(prompt, options));
  std::string reason = "stop";
  const auto& limit = asked.parameters.max_tokens;
  if (limit && static_cast<std::uint64_t>(*limit) < out.words.size()) {
    out.words.resize(static_cast<std::size_t>(*limit));
    reason = "length";
  }
  std::string text;
  for (const auto& word : out.words)
    text += word;
  std::string message = R"({"role":"assistant","content":)";
  http::append_json_string(message, text);
  message += R"(,"refusal":null})";
  const auto choices = asked.parameters.choices;
  for (std::uint32_t i = 0; i < choices; ++i)
    out.whole.choices.push_back({i, message, reason});
  out.whole.usage.prompt = http::estimate_tokens(prompt);
  out.whole.usage.completion = out.words.size() * choices;
  out.whole.usage.json = usage_json(out.whole.usage.prompt, out.whole.usage.completion);
  return out;
}

} // namespace lang_agent::simulator
