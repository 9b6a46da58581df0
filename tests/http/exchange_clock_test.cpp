#define CAF_SUITE exchange_clock
#include "tests/test.hpp"

#include "http/exchange_clock.hpp"

using namespace lang_agent;
using namespace std::chrono_literals;
using http::exchange_clock;

namespace {

const exchange_clock::time_point start{1h};

struct fixture {
  exchange_clock aut{{10s, 3s, 2s, start + 60s}};

  /// Seconds from the start to the deadline.
  long long deadline() const {
    return std::chrono::duration_cast<std::chrono::seconds>(aut.deadline() - start).count();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(exchange_clock_tests, fixture)

CAF_TEST(an answer has its time to begin from the last byte of the request) {
  aut.sending(start);
  aut.sending(start + 4s);
  CAF_CHECK_EQUAL(deadline(), 14);
  CAF_CHECK(aut.meaning(start + 14s) == error_kind::upstream_first_token_timeout);
}

CAF_TEST(each piece of an answer has its time from the one before) {
  aut.sending(start);
  aut.progress(start + 9s);
  CAF_CHECK_EQUAL(deadline(), 12);
  aut.progress(start + 11s);
  CAF_CHECK_EQUAL(deadline(), 14);
  CAF_CHECK(aut.meaning(start + 14s) == error_kind::upstream_idle_timeout);
}

CAF_TEST(an answer that comes before the request is sent has begun) {
  aut.sending(start);
  aut.progress(start + 1s);
  aut.sending(start + 3s);
  CAF_CHECK_EQUAL(deadline(), 4);
}

CAF_TEST(a client that takes nothing costs the upstream no time) {
  aut.sending(start);
  aut.progress(start + 1s);
  aut.pause();
  CAF_CHECK_EQUAL(deadline(), 60);
  CAF_CHECK(aut.meaning(start + 60s) == error_kind::upstream_total_timeout);
  aut.resume(start + 20s);
  CAF_CHECK_EQUAL(deadline(), 23);
  aut.resume(start + 22s); // it was not paused
  CAF_CHECK_EQUAL(deadline(), 23);
}

CAF_TEST(the end of everything comes before all else) {
  aut.sending(start + 55s);
  CAF_CHECK_EQUAL(deadline(), 60);
  aut.progress(start + 59s);
  CAF_CHECK_EQUAL(deadline(), 60);
  CAF_CHECK(aut.meaning(start + 60s) == error_kind::upstream_total_timeout);
}

CAF_TEST(the end of a complete answer comes soon whatever else comes) {
  aut.sending(start);
  aut.progress(start + 5s);
  aut.complete(start + 6s);
  aut.complete(start + 7s);
  CAF_CHECK_EQUAL(deadline(), 8);
}

CAF_TEST_FIXTURE_SCOPE_END()
