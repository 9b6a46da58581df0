#define CAF_SUITE upstream_state
#include "tests/test.hpp"

#include "actors/upstream_state.hpp"

using namespace lang_agent;
using namespace std::chrono_literals;

namespace {

struct fixture {
  upstream_state state = make();
  upstream_state::time_point now{1000h};

  static upstream_state make(std::size_t keys = 2, unsigned weight = 1) {
    return {keys, 3, weight, breaker_settings{.consecutive_failures = 2, .open_time = 5s}};
  }

  void fail(error_kind kind, const std::string& retry_after = "", const std::string& code = "") {
    failure why{kind, "x"};
    why.retry_after = retry_after;
    why.code = code;
    state.failed(state.start(now), now, why);
  }

  void answer(upstream_state& x, std::chrono::nanoseconds ttft) {
    x.completed(x.start(now), now, ttft);
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(upstream_state_tests, fixture)

CAF_TEST(it is full with as many attempts as it may have) {
  const auto first = state.start(now);
  state.start(now);
  CAF_CHECK(!state.is_full());
  state.start(now);
  CAF_CHECK(state.is_full());
  state.abandoned(first);
  CAF_CHECK(!state.is_full());
  CAF_CHECK_EQUAL(state.outstanding(), 2u);
}

CAF_TEST(its faults open its breaker) {
  fail(error_kind::upstream_error);
  CAF_CHECK(state.is_usable(now));
  fail(error_kind::upstream_first_token_timeout);
  CAF_CHECK(!state.is_usable(now));
  const auto why = state.problem(now);
  CAF_CHECK(why.kind == error_kind::upstream_unavailable);
  CAF_CHECK_EQUAL(why.retry_after, "5");
  CAF_CHECK(state.is_usable(now + 5s));
}

CAF_TEST(refusing a request shows that it works) {
  for (int i = 0; i < 5; ++i) {
    fail(error_kind::upstream_error);
    fail(error_kind::upstream_rejected);
  }
  CAF_CHECK(state.is_usable(now));
}

CAF_TEST(a refused key is set aside and the upstream goes on with the other) {
  fail(error_kind::upstream_auth_failed);
  CAF_CHECK(state.is_usable(now));
  CAF_CHECK_EQUAL(state.start(now).key, 1u);
  CAF_CHECK_EQUAL(state.start(now).key, 1u);
}

CAF_TEST(a key that is only suspected is used on) {
  fail(error_kind::upstream_forbidden);
  fail(error_kind::upstream_forbidden);
  CAF_CHECK(state.is_usable(now));
  CAF_CHECK_EQUAL(state.keys.resting(now), 0u);
}

CAF_TEST(what ran out of time tells nothing) {
  fail(error_kind::upstream_error);
  fail(error_kind::upstream_error);
  now += 5s;
  fail(error_kind::upstream_total_timeout);
  CAF_CHECK(state.breaker.now_is(now) == circuit_breaker::state::half_open);
}

CAF_TEST(the first token decides and not the end of the answer) {
  fail(error_kind::upstream_error);
  fail(error_kind::upstream_error);
  now += 5s;
  auto ticket = state.start(now);
  CAF_REQUIRE(ticket.decides);
  CAF_CHECK(state.wants_first_token(ticket));
  CAF_CHECK(!state.is_usable(now));
  state.begun(ticket, now, 100ms);
  CAF_CHECK(state.breaker.now_is(now) == circuit_breaker::state::closed);
  CAF_CHECK(!state.wants_first_token(state.start(now)));
}

CAF_TEST(a limited key cools down for as long as it was told) {
  fail(error_kind::upstream_rate_limited, "7");
  fail(error_kind::upstream_rate_limited, "20");
  CAF_CHECK(!state.is_usable(now + 6s));
  CAF_CHECK(state.problem(now).kind == error_kind::upstream_rate_limited);
  CAF_CHECK_EQUAL(state.problem(now).retry_after, "7");
  CAF_CHECK(state.is_usable(now + 7s));
}

CAF_TEST(absurd cool - downs are not taken literally) {
  state = make(1);
  fail(error_kind::upstream_rate_limited, "86400");
  CAF_CHECK(state.is_usable(now + 10min));
}

CAF_TEST(the last key is used on when its upstream names no time) {
  fail(error_kind::upstream_rate_limited);
  CAF_CHECK_EQUAL(state.keys.resting(now), 1u);
  fail(error_kind::upstream_rate_limited, "0");
  CAF_CHECK_EQUAL(state.keys.resting(now), 1u);
  CAF_CHECK(state.is_usable(now));
}

CAF_TEST(the only key is used on when its upstream names no time) {
  state = make(1);
  fail(error_kind::upstream_rate_limited);
  CAF_CHECK(state.is_usable(now));
}

CAF_TEST(load grows with attempts and falls with weight) {
  auto heavy = make(1, 4);
  CAF_CHECK_LESS(heavy.load(now), state.load(now));
  const auto before = state.load(now);
  state.start(now);
  CAF_CHECK_GREATER(state.load(now), before);
}

CAF_TEST(a slow upstream has more load) {
  auto other = make();
  answer(state, 300ms);
  answer(other, 100ms);
  CAF_CHECK_GREATER(state.load(now), other.load(now));
}

CAF_TEST(an upstream that has not shown how fast it is counts as slow while it is asked) {
  auto silent = make();
  answer(state, 300ms);
  CAF_CHECK_LESS(silent.load(now), state.load(now)); // worth a try
  silent.start(now);
  CAF_CHECK_GREATER(silent.load(now), state.load(now));
}

CAF_TEST(a silent upstream is a slow one) {
  const auto ticket = state.start(now);
  state.failed(ticket, now + 60s, {error_kind::upstream_first_token_timeout, "late"});
  CAF_CHECK_GREATER(state.ttft_seconds(now + 60s), 50.0);
}

CAF_TEST(slowness is forgotten with time) {
  answer(state, 10s);
  const auto before = state.ttft_seconds(now);
  CAF_CHECK_LESS(state.ttft_seconds(now + 10s), before / 2);
  CAF_CHECK_EQUAL(state.ttft_seconds(now + 5min), 0.0);
}

CAF_TEST(the average follows what it sees) {
  for (int i = 0; i < 100; ++i) {
    answer(state, 100ms);
    now += 1s;
  }
  CAF_CHECK(state.ttft_seconds(now) > 0.08 && state.ttft_seconds(now) < 0.12);
}

CAF_TEST_FIXTURE_SCOPE_END()
