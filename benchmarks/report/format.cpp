#include "benchmarks/report/format.hpp"

#include "http/json.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace lang_agent::report {

namespace {

std::string print(const char* format, double x, int decimals) {
  std::array<char, 400> out{}; // the largest double has 309 digits
  std::snprintf(out.data(), out.size(), format, decimals, x);
  return out.data();
}

std::string with_commas(std::string digits) {
  const std::size_t first = digits.starts_with('-') ? 1 : 0;
  for (auto i = digits.size(); i > first + 3; i -= 3)
    digits.insert(i - 3, 1, ',');
  return digits;
}

bool continues_character(char x) {
  return (static_cast<unsigned char>(x) & 0xc0) == 0x80;
}

} // namespace

std::string format_figure(double x) {
  const auto size = std::abs(x);
  if (size == 0)
    return "0";
  if (size >= 99.95)
    return format_count(x);
  const auto decimals = size >= 9.995 ? 1 : size >= 0.9995 ? 2 : size >= 0.09995 ? 3 : 4;
  return print("%.*f", x, decimals);
}

std::string format_number(double x) {
  return x == std::floor(x) ? format_count(x) : print("%.*g", x, 6);
}

std::string format_seconds(double x) {
  return format_number(std::round(x * 10) / 10);
}

std::string format_count(double x) {
  return with_commas(print("%.*f", x, 0));
}

std::string printable(std::string_view text) {
  std::string out;
  const auto clean = http::repaired(text);
  for (std::size_t i = 0; i < clean.size(); ++i) {
    const auto x = static_cast<unsigned char>(clean[i]);
    const auto is_c1 =
        x == 0xc2 && i + 1 < clean.size() && static_cast<unsigned char>(clean[i + 1]) < 0xa0;
    if (is_c1)
      ++i;
    out += is_c1 || x < 0x20 || x == 0x7f ? '?' : clean[i];
  }
  return out;
}

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char x) { return !continues_character(x); }));
}

std::string shortened(std::string_view text, std::size_t width) {
  if (width_of(text) <= width)
    return std::string{text};
  constexpr std::string_view end = "...";
  std::size_t columns = 0;
  std::size_t i = 0;
  for (; i < text.size(); ++i)
    if (!continues_character(text[i]) && ++columns > width - end.size())
      break;
  return std::string{text.substr(0, i)} + std::string{end};
}

} // namespace lang_agent::report
