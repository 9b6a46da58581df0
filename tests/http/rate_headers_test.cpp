#define CAF_SUITE rate_headers
#include "tests/test.hpp"

#include "http/rate_headers.hpp"

using namespace lang_agent;
using namespace std::chrono_literals;

CAF_TEST(durations are written as Go writes them) {
  const std::pair<std::chrono::nanoseconds, const char*> table[] = {
      {0ns, "0ms"},      {1ns, "1ms"},  {17ms, "17ms"}, {1s, "1s"},        {1500ms, "1.5s"},
      {1050ms, "1.05s"}, {60s, "1m0s"}, {360s, "6m0s"}, {3600s, "1h0m0s"}, {3725500ms, "1h2m5.5s"},
  };
  for (const auto& [duration, text] : table)
    CAF_CHECK_EQUAL(http::go_duration(duration), text);
}

CAF_TEST(only limits that exist are told) {
  http::response none;
  http::add_rate_headers(none, {});
  CAF_CHECK_EQUAL(none.headers, "");
  http::response some;
  http::add_rate_headers(some, {std::nullopt, rate_left{1000, 400, 36s}});
  CAF_CHECK_EQUAL(some.headers, "x-ratelimit-limit-tokens: 1000\r\n"
                                "x-ratelimit-remaining-tokens: 400\r\n"
                                "x-ratelimit-reset-tokens: 36s\r\n");
}
