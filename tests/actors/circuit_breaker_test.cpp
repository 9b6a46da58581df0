#define CAF_SUITE circuit_breaker
#include "tests/test.hpp"

#include "actors/circuit_breaker.hpp"

using namespace lang_agent;
using namespace std::chrono_literals;
using state = circuit_breaker::state;

namespace {

struct fixture {
  breaker_settings settings{.consecutive_failures = 3,
                            .failure_rate = 0.5,
                            .min_attempts = 10,
                            .window = 10s,
                            .open_time = 5s,
                            .max_open_time = 15s};
  circuit_breaker breaker{settings};
  circuit_breaker::time_point now{1000h};

  void fail(int times = 1) {
    for (int i = 0; i < times; ++i)
      breaker.failed(now, breaker.started(now), now);
  }

  void succeed(int times = 1) {
    for (int i = 0; i < times; ++i)
      breaker.succeeded(now, breaker.started(now));
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(circuit_breaker_tests, fixture)

CAF_TEST(failures in a row open it) {
  fail(2);
  CAF_CHECK(breaker.allows(now));
  fail();
  CAF_CHECK(!breaker.allows(now));
  CAF_CHECK(breaker.now_is(now) == state::open);
  CAF_CHECK(breaker.open_until() == now + 5s);
}

CAF_TEST(a success in between starts the row anew) {
  for (int i = 0; i < 4; ++i) {
    fail(2);
    succeed(4);
  }
  CAF_CHECK(breaker.allows(now));
}

CAF_TEST(a share of failures opens it once there were enough attempts) {
  for (int i = 0; i < 4; ++i) {
    succeed();
    fail();
  }
  succeed();
  CAF_CHECK(breaker.allows(now));
  fail();
  CAF_CHECK(!breaker.allows(now));
}

CAF_TEST(what is older than the window does not count) {
  for (int i = 0; i < 4; ++i) {
    succeed();
    fail();
  }
  now += 11s;
  for (int i = 0; i < 4; ++i) {
    succeed();
    fail();
  }
  CAF_CHECK(breaker.allows(now));
}

CAF_TEST(half open it lets one attempt through and a success closes it) {
  fail(3);
  now += 5s;
  CAF_CHECK(breaker.now_is(now) == state::half_open);
  CAF_REQUIRE(breaker.allows(now));
  const bool decides = breaker.started(now);
  CAF_CHECK(decides);
  CAF_CHECK(!breaker.allows(now));
  CAF_CHECK(!breaker.started(now));
  breaker.succeeded(now, decides);
  CAF_CHECK(breaker.now_is(now) == state::closed);
  fail(2);
  CAF_CHECK(breaker.allows(now));
}

CAF_TEST(each further failure doubles the time up to a bound) {
  fail(3);
  for (const auto time : {10s, 15s, 15s}) {
    now = breaker.open_until();
    fail();
    CAF_CHECK(breaker.open_until() == now + time);
  }
  now = breaker.open_until();
  succeed();
  fail(3);
  CAF_CHECK(breaker.open_until() == now + 5s);
}

CAF_TEST(a cancelled attempt leaves the decision to the next one) {
  fail(3);
  now += 5s;
  breaker.abandoned(breaker.started(now));
  CAF_CHECK(breaker.allows(now));
  CAF_CHECK(breaker.started(now));
}

CAF_TEST(attempts from before it opened do not change it) {
  const bool early = breaker.started(now);
  fail(3);
  breaker.succeeded(now, early);
  CAF_CHECK(!breaker.allows(now));
  breaker.failed(now, early, now);
  CAF_CHECK(breaker.open_until() == now + 5s);
}

CAF_TEST(failures of attempts from before it closed do not open it again) {
  const auto before = now;
  fail(3);
  now += 5s;
  succeed();
  for (int i = 0; i < 10; ++i)
    breaker.failed(now, false, before);
  CAF_CHECK(breaker.allows(now));
  fail(3);
  CAF_CHECK(!breaker.allows(now));
}

CAF_TEST(an attempt that does not come to a decision does not keep others away for ever) {
  fail(3);
  now += 5s;
  CAF_CHECK(breaker.started(now));
  now += 4s;
  CAF_CHECK(!breaker.allows(now));
  now += 1s;
  CAF_CHECK(breaker.started(now));
  breaker.succeeded(now, true);
  CAF_CHECK(breaker.now_is(now) == state::closed);
  breaker.failed(now, true, now); // the first one, at last: like any other
  CAF_CHECK(breaker.allows(now));
}

CAF_TEST(a sign of life makes it half open before its time) {
  fail(3);
  now += 1s;
  breaker.heal(now);
  CAF_CHECK(breaker.now_is(now) == state::half_open);
  fail();
  CAF_CHECK(breaker.open_until() == now + 10s);
}

CAF_TEST_FIXTURE_SCOPE_END()
