/// How long an upstream asks to wait.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace lang_agent::http {

/// Whole seconds as the value of `retry-after`, rounded up, from an upstream's `retry-after-ms`
/// and, where that says nothing, its `retry-after`: seconds or a date (RFC 9110, section 10.2.3).
/// Empty when neither makes sense.
std::string whole_retry_seconds(std::string_view milliseconds, std::string_view seconds_or_date,
                                std::chrono::system_clock::time_point now);

} // namespace lang_agent::http
