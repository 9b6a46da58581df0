/// `x-ratelimit-*`: what is left of the limits by the minute. Source: OpenAI's API reference,
/// "Rate limits in headers".
#pragma once

#include "http/response.hpp"
#include "messages/limits.hpp"

namespace lang_agent::http {

/// Three headers for each limit that there is.
void add_rate_headers(response& out, const rates_left& left);

/// As Go writes durations, which is what OpenAI sends: "17ms", "1s", "6m0s".
std::string go_duration(std::chrono::nanoseconds x);

} // namespace lang_agent::http
