#define CAF_SUITE allowance
#include "tests/test.hpp"

#include "actors/allowance.hpp"

using namespace lang_agent;
using namespace std::chrono_literals;
using limit = limit_hit::limit;

namespace {

constexpr unix_ms minute = 60'000;
constexpr unix_ms day = 24 * 60 * minute;
/// 2026-01-31 23:59:00 UTC.
constexpr unix_ms end_of_january = 1'769'903'940'000;

moment at(unix_ms wall) {
  return {std::chrono::steady_clock::time_point{std::chrono::milliseconds{wall}}, wall};
}

allowance with(const usage_limits& x) {
  allowance out;
  out.set_limits(x, at(0));
  return out;
}

demand turn_of(std::uint64_t tokens, std::uint64_t cost = 0, bool stream = false) {
  return {1, tokens, cost, stream};
}

/// The limit that such a turn would break; unset: it may begin.
std::optional<limit> hit(allowance& x, const demand& wanted, unix_ms now) {
  const auto out = x.check(wanted, at(now));
  return out ? std::optional{out->which} : std::nullopt;
}

} // namespace

CAF_TEST(without limits everything may begin) {
  auto x = with({});
  for (int i = 0; i < 1000; ++i) {
    CAF_REQUIRE(!hit(x, turn_of(1'000'000'000), end_of_january));
    x.take(turn_of(1'000'000'000), at(end_of_january));
  }
  CAF_CHECK_EQUAL(x.turns(), 1000u);
  CAF_CHECK(!x.rates(at(end_of_january)).requests);
}

CAF_TEST(turns and streams have places of their own) {
  auto x = with({.max_turns = 2, .max_streams = 1});
  x.take(turn_of(1, 0, true), at(0));
  CAF_CHECK(hit(x, turn_of(1, 0, true), 0) == limit::streams);
  CAF_CHECK(!hit(x, turn_of(1), 0));
  x.take(turn_of(1), at(0));
  CAF_CHECK(hit(x, turn_of(1), 0) == limit::turns);
  x.settle(turn_of(1, 0, true), {}, at(0));
  CAF_CHECK(!hit(x, turn_of(1, 0, true), 0));
}

CAF_TEST(a turn that used nothing gives everything back) {
  auto x = with({.requests_per_minute = 1, .tokens_per_minute = 100, .tokens_per_day = 100});
  x.take(turn_of(100), at(0));
  CAF_CHECK(hit(x, turn_of(1), 0) == limit::requests);
  x.settle(turn_of(100), {}, at(0));
  CAF_CHECK(!hit(x, turn_of(100), 0));
}

CAF_TEST(a turn keeps what it used) {
  auto x = with({.requests_per_minute = 5, .tokens_per_minute = 100, .tokens_per_day = 1000});
  x.take(turn_of(90), at(0));
  x.settle(turn_of(90), {1, 30, 0, false}, at(0));
  const auto left = x.rates(at(0));
  CAF_CHECK_EQUAL(left.requests->remaining, 4u);
  CAF_CHECK_EQUAL(left.tokens->remaining, 70u);
  CAF_CHECK(hit(x, turn_of(71), 0) == limit::tokens);
  CAF_CHECK(!hit(x, turn_of(70), 0));
}

CAF_TEST(a turn that used more than it held leaves less for others) {
  auto x = with({.tokens_per_minute = 100, .tokens_per_day = 120});
  x.take(turn_of(10), at(0));
  x.settle(turn_of(10), {1, 100, 0, false}, at(0));
  CAF_CHECK(hit(x, turn_of(1), 0) == limit::tokens);
  CAF_CHECK(hit(x, turn_of(21), minute) == limit::day_tokens);
  CAF_CHECK(!hit(x, turn_of(20), minute));
}

CAF_TEST(what can never fit is told apart from what has to wait) {
  auto x = with({.tokens_per_minute = 100});
  CAF_CHECK(hit(x, turn_of(101), 0) == limit::tokens_at_once);
  x.take(turn_of(100), at(0));
  const auto out = x.check(turn_of(50), at(0));
  CAF_REQUIRE(out.has_value());
  CAF_CHECK(out->which == limit::tokens);
  CAF_CHECK(out->wait == 30s);
}

CAF_TEST(a budget counts what is held as used) {
  auto x = with({.cost_per_day = 1000});
  x.take(turn_of(1, 600), at(0));
  CAF_CHECK(hit(x, turn_of(1, 401), 0) == limit::day_cost);
  x.settle(turn_of(1, 600), {1, 1, 100, false}, at(0));
  CAF_CHECK(!hit(x, turn_of(1, 900), 0));
  CAF_CHECK(hit(x, turn_of(1, 901), 0) == limit::day_cost);
}

CAF_TEST(a day ends at midnight in UTC and a month with its last day) {
  auto x = with({.tokens_per_day = 100, .tokens_per_month = 150});
  x.take(turn_of(100), at(end_of_january));
  x.settle(turn_of(100), {1, 100, 0, false}, at(end_of_january));
  const auto out = x.check(turn_of(1), at(end_of_january));
  CAF_REQUIRE(out.has_value());
  CAF_CHECK(out->which == limit::day_tokens);
  CAF_CHECK(out->wait == 1min);
  CAF_CHECK(!hit(x, turn_of(100), end_of_january + minute)); // both are new
  x.take(turn_of(100), at(end_of_january + minute));
  x.settle(turn_of(100), {1, 100, 0, false}, at(end_of_january + minute));
  CAF_CHECK(hit(x, turn_of(51), end_of_january + minute + day) == limit::month_tokens);
  CAF_CHECK(!hit(x, turn_of(50), end_of_january + minute + day));
}

CAF_TEST(a turn that goes on over midnight counts for the new day) {
  auto x = with({.tokens_per_day = 100});
  x.take(turn_of(80), at(end_of_january));
  CAF_CHECK(hit(x, turn_of(30), end_of_january + minute) == limit::day_tokens);
  x.settle(turn_of(80), {1, 40, 0, false}, at(end_of_january + minute));
  CAF_CHECK(!hit(x, turn_of(60), end_of_january + minute));
  CAF_CHECK(hit(x, turn_of(61), end_of_january + minute) == limit::day_tokens);
}

CAF_TEST(what was used before a restart counts) {
  auto x = with({.tokens_per_day = 100, .cost_per_month = 50});
  x.restore(end_of_january, {60, 0, 60, 45});
  CAF_CHECK(hit(x, turn_of(41), end_of_january) == limit::day_tokens);
  CAF_CHECK(hit(x, turn_of(40, 6), end_of_january) == limit::month_cost);
  CAF_CHECK(!hit(x, turn_of(40, 5), end_of_january));
}

CAF_TEST(other limits keep what is used) {
  auto x = with({.max_turns = 1, .tokens_per_day = 100});
  x.take(turn_of(100), at(0));
  x.set_limits({.max_turns = 2, .tokens_per_day = 150}, at(0));
  CAF_CHECK(hit(x, turn_of(51), 0) == limit::day_tokens);
  CAF_CHECK(!hit(x, turn_of(50), 0));
}
