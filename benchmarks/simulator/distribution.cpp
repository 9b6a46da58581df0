#include "benchmarks/simulator/distribution.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

namespace lang_agent::simulator {

namespace {

/// Eleven days in milliseconds, or a library of words: beyond, a number is a mistake.
constexpr double largest = 1e9;

std::string_view trim(std::string_view text) {
  const auto begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos)
    return {};
  return text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

std::optional<double> parse_amount(std::string_view text, unit of) {
  static constexpr std::array<std::pair<std::string_view, double>, 5> units{
      {{"us", 0.001}, {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}}};
  double number = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (ec != std::errc{} || !(number >= 0 && number <= largest))
    return std::nullopt;
  const auto rest = text.substr(static_cast<std::size_t>(end - text.data()));
  if (rest.empty())
    return of == unit::words || number == 0 ? std::optional{number} : std::nullopt;
  if (of == unit::words)
    return std::nullopt;
  for (const auto& [name, factor] : units)
    if (rest == name && number * factor <= largest)
      return number * factor;
  return std::nullopt;
}

std::vector<std::string_view> split_arguments(std::string_view text) {
  std::vector<std::string_view> out;
  for (;;) {
    const auto comma = text.find(',');
    out.push_back(trim(text.substr(0, comma)));
    if (comma == std::string_view::npos)
      return out;
    text.remove_prefix(comma + 1);
  }
}

/// Standard normal, by Box and Muller.
double bell(random_source& random) {
  const auto radius = std::sqrt(-2 * std::log(1 - random.next()));
  return radius * std::cos(2 * std::numbers::pi * random.next());
}

} // namespace

std::optional<distribution> distribution::parse(std::string_view text, unit of) {
  distribution out;
  out.text_ = text;
  const auto open = text.find('(');
  if (open == std::string_view::npos) {
    const auto amount = parse_amount(trim(text), of);
    if (!amount)
      return std::nullopt;
    out.first_ = *amount;
    return out;
  }
  static constexpr std::array<std::pair<std::string_view, shape>, 4> shapes{
      {{"uniform", shape::uniform},
       {"exponential", shape::exponential},
       {"normal", shape::normal},
       {"lognormal", shape::lognormal}}};
  const auto name = trim(text.substr(0, open));
  const auto* found =
      std::find_if(shapes.begin(), shapes.end(), [&](const auto& x) { return x.first == name; });
  const auto rest = trim(text.substr(open + 1));
  if (found == shapes.end() || rest.empty() || rest.back() != ')')
    return std::nullopt;
  out.shape_ = found->second;
  const auto arguments = split_arguments(rest.substr(0, rest.size() - 1));
  if (arguments.size() != (out.shape_ == shape::exponential ? 1u : 2u))
    return std::nullopt;
  const auto first = parse_amount(arguments[0], of);
  if (!first)
    return std::nullopt;
  out.first_ = *first;
  if (arguments.size() == 2) {
    // A lognormal's sigma has no unit: it is one of the logarithm.
    const auto second =
        parse_amount(arguments[1], out.shape_ == shape::lognormal ? unit::words : of);
    if (!second || (out.shape_ == shape::uniform && *second < *first))
      return std::nullopt;
    out.second_ = *second;
  }
  return out;
}

double distribution::sample(random_source& random) const {
  double out = first_;
  switch (shape_) {
  case shape::constant:
    break;
  case shape::uniform:
    out = first_ + (second_ - first_) * random.next();
    break;
  case shape::exponential:
    out = -first_ * std::log(1 - random.next());
    break;
  case shape::normal:
    out = first_ + second_ * bell(random);
    break;
  case shape::lognormal:
    out = first_ * std::exp(second_ * bell(random));
    break;
  }
  return std::isnan(out) ? 0 : std::clamp(out, 0.0, largest); // 0 times infinity
}

} // namespace lang_agent::simulator
