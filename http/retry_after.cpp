#include "http/retry_after.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <ctime>
#include <optional>

namespace lang_agent::http {

namespace {

/// Nobody waits for longer; what says so is a mistake.
constexpr double longest = 365.0 * 24 * 3600;

/// A decimal number that is not negative; some servers send fractions.
std::optional<double> parse_number(std::string_view text) {
  double out = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, ec] = std::from_chars(text.data(), end, out, std::chars_format::fixed);
  if (ec != std::errc{} || stop != end || !(out >= 0))
    return std::nullopt;
  return out;
}

/// The one form of a date that is sent, and the two that must be understood all the same.
std::optional<std::time_t> parse_date(const std::string& text) {
  constexpr std::array formats{"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                               "%a %b %e %H:%M:%S %Y"};
  for (const auto* format : formats) {
    std::tm parts{};
    const char* end = ::strptime(text.c_str(), format, &parts);
    if (end && !*end)
      return ::timegm(&parts);
  }
  return std::nullopt;
}

std::string whole(std::optional<double> seconds) {
  if (!seconds || *seconds > longest)
    return {};
  return std::to_string(static_cast<long>(std::ceil(*seconds)));
}

} // namespace

std::string whole_retry_seconds(std::string_view milliseconds, std::string_view seconds_or_date,
                                std::chrono::system_clock::time_point now) {
  if (const auto ms = parse_number(milliseconds))
    if (auto out = whole(*ms / 1000); !out.empty())
      return out;
  if (const auto seconds = parse_number(seconds_or_date))
    return whole(seconds);
  const auto date = parse_date(std::string{seconds_or_date});
  if (!date)
    return {};
  // Not as a duration of the clock: the year 9999 is beyond its nanoseconds.
  return whole(std::max(0.0, std::difftime(*date, std::chrono::system_clock::to_time_t(now))));
}

} // namespace lang_agent::http
