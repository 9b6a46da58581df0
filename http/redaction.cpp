#include "http/redaction.hpp"

#include <algorithm>

namespace lang_agent::http {

namespace {

constexpr std::string_view replacement = "[redacted]";

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

redaction::redaction(std::vector<std::string> secrets) {
  for (auto& secret : secrets)
    if (!secret.empty())
      secrets_.push_back(lower(std::move(secret)));
  std::sort(secrets_.begin(), secrets_.end(),
            [](const auto& a, const auto& b) { return a.size() > b.size(); });
}

std::string redaction::operator()(std::string text) const {
  for (const auto& secret : secrets_) {
    auto plain = lower(text);
    for (auto at = plain.find(secret); at != std::string::npos; at = plain.find(secret, at)) {
      const auto end = at + secret.size();
      const bool in_word =
          (at > 0 && is_letter_or_digit(plain[at - 1]) && is_letter_or_digit(secret.front()))
          || (end < plain.size() && is_letter_or_digit(plain[end])
              && is_letter_or_digit(secret.back()));
      if (in_word) {
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
