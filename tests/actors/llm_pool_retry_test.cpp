#define CAF_SUITE llm_pool_retry
#include "tests/actors/pool_fixture.hpp"

using namespace lang_agent;
using namespace lang_agent::test;
using namespace std::chrono_literals;
using enum error_kind;

CAF_TEST_FIXTURE_SCOPE(llm_pool_retry_tests, pool_fixture)

CAF_TEST(a fault of the moment is tried again on the only upstream after a pause) {
  start();
  order();
  fail(upstream_error);
  CAF_CHECK_EQUAL(attempts(), 1u);
  CAF_CHECK_EQUAL(options.counters->resting.load(), 1u);
  pass(options.retry.base_delay);
  CAF_REQUIRE_EQUAL(attempts(), 2u);
  CAF_CHECK_EQUAL(last().order->spent.attempts, 2u);
  complete();
  CAF_CHECK_EQUAL(failures(), 0u);
  CAF_CHECK_EQUAL(counted().retries.load(), 1u);
  CAF_CHECK_EQUAL(counted().completed.load(), 1u);
}

CAF_TEST(attempts are bounded and the last failure is told) {
  start();
  const auto id = order();
  fail(upstream_error);
  pass(1s);
  fail(upstream_cut);
  pass(1min);
  CAF_CHECK_EQUAL(attempts(), 2u);
  CAF_REQUIRE_EQUAL(failures(), 1u);
  CAF_CHECK_EQUAL(customer->last<order_failed>().id, id);
  CAF_CHECK(failed().kind == upstream_cut);
}

CAF_TEST(what the requester has begun to see is not tried again) {
  start();
  order();
  fail({upstream_cut, "cut"}, true);
  pass(1min);
  CAF_CHECK_EQUAL(attempts(), 1u);
  CAF_REQUIRE_EQUAL(failures(), 1u);
  CAF_CHECK_EQUAL(counted().broken_off.load(), 1u);
}

CAF_TEST(a request that is wrong is not tried again) {
  add("b");
  route_to({{0}, {1}});
  start();
  order();
  fail(upstream_rejected);
  pass(1min);
  CAF_CHECK_EQUAL(attempts(), 1u);
  CAF_CHECK_EQUAL(failures(), 1u);
}

CAF_TEST(another upstream of the group is asked at once) {
  add("b");
  route_to({{0, 1}});
  start();
  order();
  const auto first = last().upstream;
  fail(upstream_error);
  CAF_REQUIRE_EQUAL(attempts(), 2u);
  CAF_CHECK_EQUAL(last().upstream, 1 - first);
}

CAF_TEST(the next group is asked when the group has had its attempts) {
  add("b");
  route_to({{0}, {1}});
  start();
  order();
  fail(upstream_error);
  pass(1s);
  CAF_REQUIRE_EQUAL(attempts(), 2u);
  CAF_CHECK_EQUAL(last().upstream, 0u);
  fail(upstream_error);
  CAF_REQUIRE_EQUAL(attempts(), 3u);
  CAF_CHECK_EQUAL(last().upstream, 1u);
  CAF_CHECK_EQUAL(counted(0).fallbacks.load(), 1u);
  complete();
  CAF_CHECK_EQUAL(failures(), 0u);
}

CAF_TEST(a slow upstream is not asked again but the next group is) {
  add("b");
  route_to({{0}, {1}});
  start();
  order();
  fail(upstream_first_token_timeout);
  CAF_REQUIRE_EQUAL(attempts(), 2u);
  CAF_CHECK_EQUAL(last().upstream, 1u);
}

CAF_TEST(a slow upstream without a fall - back fails at once) {
  start();
  order();
  fail(upstream_first_token_timeout);
  CAF_CHECK_EQUAL(attempts(), 1u);
  CAF_CHECK(failed().kind == upstream_first_token_timeout);
}

CAF_TEST(attempts over all groups are bounded) {
  for (const auto* name : {"b", "c", "d", "e"})
    add(name);
  route_to({{0}, {1}, {2}, {3}, {4}});
  options.retry.max_attempts = 3;
  start();
  order();
  for (int i = 0; i < 3; ++i)
    fail(upstream_first_token_timeout);
  CAF_CHECK_EQUAL(attempts(), 3u);
  CAF_CHECK_EQUAL(failures(), 1u);
}

CAF_TEST(a refused key is replaced at once and set aside) {
  targets[0].keys = 2;
  start();
  order();
  CAF_CHECK_EQUAL(last().key, 0u);
  fail(upstream_auth_failed);
  CAF_REQUIRE_EQUAL(attempts(), 2u);
  CAF_CHECK_EQUAL(last().key, 1u);
  complete();
  for (int i = 0; i < 3; ++i) {
    order();
    CAF_CHECK_EQUAL(last().key, 1u);
    complete();
  }
  CAF_CHECK_EQUAL(counted().resting_keys.load(), 1u);
}

CAF_TEST(without a usable key the upstream is not asked) {
  targets[0].keys = 2;
  start();
  order();
  fail(upstream_auth_failed);
  fail(upstream_auth_failed);
  CAF_CHECK(failed().kind == upstream_auth_failed);
  order();
  CAF_CHECK_EQUAL(attempts(), 2u);
  CAF_CHECK_EQUAL(failures(), 2u);
  CAF_CHECK(failed().kind == upstream_auth_failed);
  pass(5s);
  order();
  CAF_CHECK_EQUAL(attempts(), 3u);
}

CAF_TEST(a forbidden request is tried with each key and harms none of them) {
  targets[0].keys = 3;
  options.retry.max_attempts = 10;
  start();
  order();
  for (int i = 0; i < 3; ++i)
    fail(upstream_forbidden);
  CAF_CHECK_EQUAL(attempts(), 3u);
  CAF_CHECK(failed().kind == upstream_forbidden);
  CAF_CHECK_EQUAL(counted().resting_keys.load(), 0u);
}

CAF_TEST(a forbidden key is set aside when another one gets the request through) {
  targets[0].keys = 2;
  start();
  order();
  const auto bad = last().key;
  fail(upstream_forbidden);
  CAF_CHECK_EQUAL(last().key, 1 - bad);
  complete();
  CAF_CHECK_EQUAL(counted().resting_keys.load(), 1u);
  order();
  CAF_CHECK_EQUAL(last().key, 1 - bad);
}

CAF_TEST(each key is tried once a turn even if it need not rest) {
  targets[0].keys = 2;
  options.retry = {.max_attempts = 10, .attempts_per_group = 1};
  start();
  order();
  failure slow{upstream_rate_limited, "slow"};
  slow.retry_after = "0";
  fail(slow);
  fail(slow);
  CAF_CHECK_EQUAL(attempts(), 2u);
  CAF_CHECK_EQUAL(failures(), 1u);
}

CAF_TEST(a turn that finds out that an upstream has not recovered does not suffer for it) {
  add("b");
  route_to({{0, 1}});
  options.breaker.consecutive_failures = 1;
  options.retry = {.attempts_per_group = 1, .budget = 0};
  start();
  order();
  const auto bad = last().upstream;
  fail(upstream_unreachable);
  CAF_CHECK_EQUAL(failures(), 1u);
  for (const auto pause : {5s, 10s, 20s}) {
    pass(pause);
    order();
    CAF_CHECK_EQUAL(last().upstream, bad);
    fail(upstream_unreachable);
    CAF_REQUIRE_EQUAL(last().upstream, 1 - bad);
    complete();
  }
  CAF_CHECK_EQUAL(failures(), 1u);
}

CAF_TEST(an upstream is back with the first token of the turn that tries it) {
  options.breaker.consecutive_failures = 1;
  options.retry.max_attempts = 1;
  start();
  order();
  fail(upstream_unreachable);
  pass(5s);
  const auto id = order();
  CAF_CHECK(last().tell_first_token);
  order();
  CAF_CHECK_EQUAL(attempts(), 2u);
  send(aut, attempt_begun{id, 100ms});
  order();
  CAF_CHECK_EQUAL(clients.size(), 2u);
  CAF_CHECK_EQUAL(counted().state.load(), 0u);
}

CAF_TEST(attempts of an earlier order of the turn count) {
  options.retry.max_attempts = 3;
  start();
  auto x = std::make_shared<llm_order>(next_turn_id(), customer_actor, requester);
  x->route = where;
  x->spent = {2, sys.clock().now() + 10s};
  send(aut, std::move(x));
  fail(upstream_error);
  pass(1min);
  CAF_CHECK_EQUAL(attempts(), 1u);
  CAF_CHECK_EQUAL(failures(), 1u);
  CAF_CHECK_EQUAL(customer->last<order_failed>().spent.attempts, 3u);
}

CAF_TEST(a limited key is replaced and used again after its time) {
  targets[0].keys = 2;
  start();
  order();
  failure slow{upstream_rate_limited, "slow"};
  slow.retry_after = "20";
  fail(slow);
  CAF_REQUIRE_EQUAL(attempts(), 2u);
  CAF_CHECK_EQUAL(last().key, 1u);
  fail(slow);
  CAF_REQUIRE_EQUAL(failures(), 1u);
  CAF_CHECK_EQUAL(failed().retry_after, "20");
  pass(8s);
  order();
  CAF_CHECK_EQUAL(attempts(), 2u);
  CAF_CHECK(failed().kind == upstream_rate_limited);
  CAF_CHECK_EQUAL(failed().retry_after, "12");
  pass(12s);
  order();
  CAF_CHECK_EQUAL(attempts(), 3u);
}

CAF_TEST(a short retry-after is waited for) {
  start();
  order();
  failure slow{upstream_rate_limited, "slow"};
  slow.retry_after = "3";
  fail(slow);
  pass(2s);
  CAF_CHECK_EQUAL(attempts(), 1u);
  CAF_CHECK_EQUAL(failures(), 0u);
  pass(1s);
  CAF_CHECK_EQUAL(attempts(), 2u);
}

CAF_TEST(a short retry-after is not waited for while there is a fall-back) {
  add("b");
  route_to({{0}, {1}});
  start();
  order();
  failure slow{upstream_error, "slow"};
  slow.retry_after = "1";
  fail(slow);
  CAF_REQUIRE_EQUAL(attempts(), 2u);
  CAF_CHECK_EQUAL(last().upstream, 1u);
}

CAF_TEST(a limited upstream leaves the turn to the others) {
  add("b");
  route_to({{0}, {1}});
  start();
  order();
  failure slow{upstream_rate_limited, "slow"};
  slow.retry_after = "60";
  fail(slow);
  CAF_REQUIRE_EQUAL(attempts(), 2u);
  CAF_CHECK_EQUAL(last().upstream, 1u);
}

CAF_TEST(an upstream that fails again and again is left alone) {
  options.retry.max_attempts = 1;
  start();
  for (int i = 0; i < 5; ++i) {
    order();
    fail(upstream_unreachable);
  }
  CAF_CHECK_EQUAL(failures(), 5u);
  order();
  CAF_CHECK_EQUAL(attempts(), 5u);
  CAF_REQUIRE_EQUAL(failures(), 6u);
  CAF_CHECK(failed().kind == upstream_unavailable);
  CAF_CHECK_EQUAL(failed().retry_after, "5");
  CAF_CHECK_EQUAL(counted().state.load(), 1u);
  pass(5s);
  order(); // decides
  order();
  CAF_CHECK_EQUAL(attempts(), 6u);
  CAF_CHECK_EQUAL(failures(), 7u);
  complete();
  order();
  CAF_CHECK_EQUAL(attempts(), 7u);
}

CAF_TEST(turns go to the fall - back while an upstream is left alone) {
  add("b");
  route_to({{0}, {1}});
  options.breaker.consecutive_failures = 1;
  start();
  order();
  fail(upstream_unreachable);
  CAF_CHECK_EQUAL(last().upstream, 1u);
  complete();
  order();
  CAF_CHECK_EQUAL(last().upstream, 1u);
  CAF_CHECK_EQUAL(last().order->spent.attempts, 1u);
  complete();
  pass(5s);
  order();
  CAF_CHECK_EQUAL(last().upstream, 0u);
}

CAF_TEST(turns that wait for an upstream fall back when it is left alone) {
  add("b");
  route_to({{0}, {1}});
  targets[0].max_concurrency = 1;
  options.breaker.consecutive_failures = 1;
  options.retry.max_attempts = 1;
  start();
  order();
  const auto waiting = order();
  CAF_CHECK_EQUAL(attempts(), 1u);
  fail(upstream_unreachable);
  CAF_REQUIRE_EQUAL(attempts(), 2u);
  CAF_CHECK_EQUAL(last().upstream, 1u);
  CAF_CHECK_EQUAL(last().order->id, waiting);
}

CAF_TEST(retries stop where the budget ends but fall - backs do not ) {
  add("b");
  route_to({{0}, {1}});
  options.breaker = {
      .consecutive_failures = 1'000'000, .failure_rate = 1, .min_attempts = 1'000'000};
  start();
  for (int i = 0; i < 100; ++i) {
    order();
    fail(upstream_error);
    pass(1s);
    if (last().upstream == 0)
      fail(upstream_error);
    CAF_CHECK_EQUAL(last().upstream, 1u);
    complete();
  }
  CAF_CHECK_EQUAL(failures(), 0u);
  CAF_CHECK(counted(0).retries.load() >= 29 && counted(0).retries.load() <= 30);

  CAF_CHECK_EQUAL(counted(0).fallbacks.load(), 100u);
}

CAF_TEST(a turn that rests between attempts can be cancelled) {
  start();
  const auto id = order();
  fail(upstream_error);
  send(aut, order_cancelled{id});
  CAF_CHECK_EQUAL(options.counters->resting.load(), 0u);
  pass(1min);
  CAF_CHECK_EQUAL(attempts(), 1u);
  CAF_CHECK_EQUAL(failures(), 0u);
}

CAF_TEST(an attempt that fails while it is being cancelled is not made again) {
  start();
  const auto id = order();
  send(aut, order_cancelled{id});
  fail(upstream_error);
  pass(1min);
  CAF_CHECK_EQUAL(attempts(), 1u);
  CAF_CHECK_EQUAL(failures(), 0u);
}

CAF_TEST(a cancelled attempt tells nothing about its upstream and frees its place) {
  targets[0].max_concurrency = 1;
  options.breaker.consecutive_failures = 1;
  start();
  const auto id = order();
  order();
  send(aut, order_cancelled{id});
  cancelled();
  CAF_CHECK_EQUAL(attempts(), 2u);
  CAF_CHECK_EQUAL(counted().cancelled.load(), 1u);
}

CAF_TEST(no attempt begins after the turn has had its time) {
  targets[0].total_timeout = 1s;
  options.retry.base_delay = options.retry.max_delay = 5s;
  start();
  order();
  pass(1s);
  fail(upstream_error);
  CAF_CHECK_EQUAL(failures(), 1u);
  CAF_CHECK_EQUAL(options.counters->resting.load(), 0u);
}

CAF_TEST(all attempts of a turn share its time) {
  start();
  order();
  const auto ends = last().order->spent.ends;
  fail(upstream_error);
  pass(1s);
  CAF_CHECK(last().order->spent.ends == ends);
}

CAF_TEST_FIXTURE_SCOPE_END()
