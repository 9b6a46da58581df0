#include "http/redaction.hpp"

#include <algorithm>

namespace lang_agent::http {

namespace {

constexpr std::string_view replacement = "[redacted]";
/// What is shorter may be a part of a word by chance.
constexpr std::size_t shortest_part = 8;

bool is_letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::string lower(std::string text) {
  for (auto& c : text)
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
  return text;
}

} // namespace

redaction::redaction(std::vector<std::string> secrets, std::vector<std::string> places) {
  for (auto& secret : secrets) {
    const bool is_word = secret.size() < shortest_part;
    add(lower(std::move(secret)), is_word);
  }
  for (auto& place : places)
    add(lower(std::move(place)), true);
  std::stable_sort(hidden_.begin(), hidden_.end(),
                   [](const auto& a, const auto& b) { return a.text.size() > b.text.size(); });
}

void redaction::add(std::string text, bool is_word) {
  if (!text.empty())
    hidden_.push_back({std::move(text), is_word});
}

std::string redaction::operator()(std::string text) const {
  for (const auto& [secret, is_word] : hidden_) {
    auto plain = lower(text);
    for (auto at = plain.find(secret); at != std::string::npos; at = plain.find(secret, at)) {
      const auto end = at + secret.size();
      const bool in_word =
          (at > 0 && is_letter_or_digit(plain[at - 1]) && is_letter_or_digit(secret.front()))
          || (end < plain.size() && is_letter_or_digit(plain[end])
              && is_letter_or_digit(secret.back()));
      if (is_word && in_word) {
        ++at;
        continue;
      }
      text.replace(at, secret.size(), replacement);
      plain.replace(at, secret.size(), replacement);
      at += replacement.size();
    }
  }
  return text;
}

} // namespace lang_agent::http
