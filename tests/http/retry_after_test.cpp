#define CAF_SUITE retry_after
#include "tests/test.hpp"

#include "http/retry_after.hpp"

using namespace lang_agent;

namespace {

/// Sun, 06 Nov 1994 08:49:37 GMT.
const auto then = std::chrono::system_clock::from_time_t(784111777);

std::string wait(const char* ms, const char* text, std::chrono::milliseconds past = {}) {
  return http::whole_retry_seconds(ms, text, then + past);
}

} // namespace

CAF_TEST(seconds are whole and never too few) {
  const std::pair<const char*, const char*> table[] = {
      {"0", "0"}, {"7", "7"}, {"1.2", "2"}, {"0.001", "1"}, {"86400", "86400"}};
  for (const auto& [text, expected] : table)
    CAF_CHECK_EQUAL(wait("", text), expected);
}

CAF_TEST(milliseconds come first and are rounded up) {
  CAF_CHECK_EQUAL(wait("1", "7"), "1");
  CAF_CHECK_EQUAL(wait("1500", ""), "2");
  CAF_CHECK_EQUAL(wait("2000", "7"), "2");
  CAF_CHECK_EQUAL(wait("0", "7"), "0");
  CAF_CHECK_EQUAL(wait("soon", "7"), "7");
  CAF_CHECK_EQUAL(wait("1e9", "7"), "7");
}

CAF_TEST(dates are understood in all their forms) {
  for (const auto* date : {"Sun, 06 Nov 1994 08:49:47 GMT", "Sunday, 06-Nov-94 08:49:47 GMT",
                           "Sun Nov  6 08:49:47 1994"}) {
    CAF_CHECK_EQUAL(wait("", date), "10");
    CAF_CHECK_EQUAL(wait("", date, std::chrono::milliseconds{500}), "10");
    CAF_CHECK_EQUAL(wait("", date, std::chrono::hours{1}), "0");
  }
}

CAF_TEST(nonsense is ignored) {
  for (const auto* text :
       {"", " ", "soon", "-1", "7s", "7 8", "0x7", "nan", "inf", "1e3", "99999999999", "31536001",
        "Sun, 06 Nov 2094 08:49:47 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "06 Nov 1994",
        "Sun, 06 Nov 1994 08:49:47 CET", "Sun, 06 Nov 1994 08:49:47 GMT or so"})
    CAF_CHECK_EQUAL(wait("", text), "");
}
