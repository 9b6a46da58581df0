#include "http/rate_headers.hpp"

namespace lang_agent::http {

namespace {

void add(response& out, const std::string& unit, const rate_left& left) {
  add_header(out, "x-ratelimit-limit-" + unit, std::to_string(left.limit));
  add_header(out, "x-ratelimit-remaining-" + unit, std::to_string(left.remaining));
  add_header(out, "x-ratelimit-reset-" + unit, go_duration(left.reset));
}

} // namespace

void add_rate_headers(response& out, const rates_left& left) {
  if (left.requests)
    add(out, "requests", *left.requests);
  if (left.tokens)
    add(out, "tokens", *left.tokens);
}

std::string go_duration(std::chrono::nanoseconds x) {
  auto ms = std::chrono::ceil<std::chrono::milliseconds>(x).count();
  if (ms < 1000)
    return std::to_string(ms) + "ms";
  std::string out;
  if (ms >= 3'600'000)
    out += std::to_string(ms / 3'600'000) + "h";
  if (ms >= 60'000)
    out += std::to_string(ms / 60'000 % 60) + "m";
  ms %= 60'000;
  out += std::to_string(ms / 1000);
  if (ms % 1000 != 0) {
    auto fraction = std::to_string(1000 + ms % 1000).substr(1);
    fraction.erase(fraction.find_last_not_of('0') + 1);
    out += "." + fraction;
  }
  return out + "s";
}

} // namespace lang_agent::http
