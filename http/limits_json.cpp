#include "http/limits_json.hpp"

#include <array>
#include <cstdio>

namespace lang_agent::http {

namespace {

/// Millionths as a decimal number.
std::string amount_text(std::uint64_t x) {
  std::array<char, 40> out{};
  std::snprintf(out.data(), out.size(), "%llu.%06llu",
                static_cast<unsigned long long>(x / 1'000'000),
                static_cast<unsigned long long>(x % 1'000'000));
  std::string digits{out.data()};
  digits.erase(digits.find_last_not_of('0') + 1);
  if (digits.back() == '.')
    digits += '0';
  return digits;
}

} // namespace

void read_limits(object_reader& in, usage_limits& out) {
  for_each_limit(
      out, [&](const char* name, auto& x, std::uint64_t most) { in.count(name, x, most); },
      [&](const char* name, auto& x) { in.amount(name, x); });
}

void append_limits(std::string& out, const usage_limits& x) {
  for_each_limit(
      x,
      [&](const char* name, const auto& count, std::uint64_t) {
        append_member(out, name, std::to_string(count));
      },
      [&](const char* name, std::uint64_t amount) {
        append_member(out, name, amount_text(amount));
      });
}

std::string limits_text(const usage_limits& x) {
  std::string out;
  append_limits(out, x);
  out.front() = '{'; // instead of the comma
  return out + "}";
}

/// An object of limits by itself, as one member of another one.
std::optional<failure> read_limits(object_reader& in, const std::string& name, usage_limits& out) {
  const auto* x = in.take(name);
  if (!x)
    return std::nullopt;
  if (!x->IsObject())
    return invalid_field(name, "it must be an object");
  object_reader sub{*x, name + "."};
  read_limits(sub, out);
  return sub.finish();
}

} // namespace lang_agent::http
