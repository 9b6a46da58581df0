#include "benchmarks/load/load_list.hpp"

#include <charconv>

namespace lang_agent::load {

namespace {

constexpr double largest = 1e7;
constexpr std::size_t most = 100;

std::optional<double> parse_number(std::string_view text) {
  double out = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (ec != std::errc{} || end != text.data() + text.size() || !(out > 0 && out <= largest))
    return std::nullopt;
  return out;
}

std::optional<std::vector<double>> parse_range(std::string_view first, std::string_view rest) {
  const auto by = rest.find('x');
  const auto from = parse_number(first);
  const auto to = parse_number(rest.substr(0, by));
  const auto factor =
      by == std::string_view::npos ? std::optional{2.0} : parse_number(rest.substr(by + 1));
  if (!from || !to || !factor || *factor < 1.01 || *to < *from)
    return std::nullopt;
  std::vector<double> out;
  // A hair more than the end, so that it is met in spite of rounding.
  for (auto x = *from; x <= *to * 1.0001 && out.size() <= most; x *= *factor)
    out.push_back(x);
  return out;
}

} // namespace

std::optional<std::vector<double>> parse_loads(std::string_view text) {
  std::vector<double> out;
  const auto dots = text.find("..");
  if (dots != std::string_view::npos) {
    const auto range = parse_range(text.substr(0, dots), text.substr(dots + 2));
    return range && range->size() <= most ? range : std::nullopt;
  }
  for (;;) {
    const auto comma = text.find(',');
    const auto x = parse_number(text.substr(0, comma));
    if (!x || (!out.empty() && *x <= out.back()) || out.size() == most)
      return std::nullopt;
    out.push_back(*x);
    if (comma == std::string_view::npos)
      return out;
    text.remove_prefix(comma + 1);
  }
}

} // namespace lang_agent::load
