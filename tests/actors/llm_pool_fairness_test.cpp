#define CAF_SUITE llm_pool_fairness
#include "tests/actors/pool_fixture.hpp"
#include "tests/actors/waiting_orders.hpp"

#include <algorithm>
#include <map>

using namespace lang_agent;
using namespace lang_agent::test;
using namespace std::chrono_literals;

namespace {

/// A pool whose only upstream has one place.
struct narrow_pool : pool_fixture {
  share_ptr flood = share_for("flood");
  share_ptr polite = share_for("polite");

  narrow_pool() {
    targets[0].max_concurrency = 1;
  }

  void order_many(const share_ptr& tenant, int count) {
    for (int i = 0; i < count; ++i)
      order_for(tenant);
  }

  /// The order that has the place.
  turn_id running(std::size_t client = 0) {
    return last(client).order->id;
  }

  /// The place goes to others, one after the other.
  void serve(int count, std::chrono::milliseconds each) {
    for (int i = 0; i < count; ++i) {
      pass(each);
      complete();
    }
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(llm_pool_fairness_tests, narrow_pool)

CAF_TEST(tenants that wait take turns) {
  start();
  order_many(flood, 5);
  const auto first = order_for(polite);
  const auto second = order_for(polite);
  complete();
  complete();
  CAF_CHECK_EQUAL(running(), first);
  complete();
  complete();
  CAF_CHECK_EQUAL(running(), second);
}

CAF_TEST(places go by weight) {
  flood = share_for("flood", 3);
  start();
  order_many(polite, 41);
  order_many(flood, 80);
  std::map<std::string, int> served;
  for (int i = 0; i < 80; ++i) {
    complete();
    ++served[last().order->share->tenant];
  }
  CAF_CHECK_GREATER_OR_EQUAL(served["flood"], 59);
  CAF_CHECK_LESS_OR_EQUAL(served["flood"], 61);
}

CAF_TEST(a tenant beyond its bound is refused and nobody else) {
  flood = share_for("flood", 1, 2);
  start();
  order_many(flood, 3);
  CAF_CHECK_EQUAL(failures(), 0u);
  const auto refused = order_for(flood);
  CAF_REQUIRE_EQUAL(failures(), 1u);
  CAF_CHECK_EQUAL(customer->last<order_failed>().id, refused);
  CAF_CHECK(failed().kind == error_kind::tenant_queue_full);
  CAF_CHECK_EQUAL(failed().http_status(), 429);
  CAF_CHECK_EQUAL(failed().retry_after, "1");
  order_for(polite);
  CAF_CHECK_EQUAL(failures(), 1u);
  CAF_CHECK_EQUAL(options.counters->waiting.load(), 3u);
}

CAF_TEST(a full queue makes room for who has little in it) {
  options.routing.max_waiting = 4;
  start();
  order_many(flood, 4);
  const auto newest = order_for(flood);
  const auto first = order_for(polite);
  CAF_REQUIRE_EQUAL(failures(), 1u);
  CAF_CHECK_EQUAL(customer->last<order_failed>().id, newest);
  CAF_CHECK(failed().kind == error_kind::overloaded);
  CAF_CHECK_EQUAL(failed().http_status(), 503);
  CAF_CHECK_EQUAL(failed().retry_after, "1");
  CAF_CHECK_EQUAL(options.counters->waiting.load(), 4u);
  const auto refused = order_for(flood);
  CAF_REQUIRE_EQUAL(failures(), 2u);
  CAF_CHECK_EQUAL(customer->last<order_failed>().id, refused);
  complete();
  complete();
  CAF_CHECK_EQUAL(running(), first);
}

CAF_TEST(a flood that would wait too long is refused and nobody else) {
  options.routing.wait_timeout = 2s;
  start();
  order_many(flood, 160);
  serve(40, 20ms);
  CAF_CHECK_EQUAL(failures(), 0u);
  const auto refused = order_for(flood); // behind 119 others
  CAF_REQUIRE_EQUAL(failures(), 1u);
  CAF_CHECK_EQUAL(customer->last<order_failed>().id, refused);
  const auto first = order_for(polite); // behind one
  CAF_CHECK_EQUAL(failures(), 1u);
  complete();
  CAF_CHECK(last().order->share == flood || running() == first);
  complete();
  CAF_CHECK(last().order->share == flood || running() == first);
}

CAF_TEST(who wants more than its share is refused by its own queue) {
  options.routing.wait_timeout = 2s;
  start();
  order_many(flood, 120);
  serve(40, 20ms);
  whose = polite;
  int accepted = 0; // half of the places are there for them: 50 in 2 s
  while (failures() == 0) {
    order();
    ++accepted;
  }
  CAF_CHECK_GREATER_OR_EQUAL(accepted, 45);
  CAF_CHECK_LESS_OR_EQUAL(accepted, 55);
}

CAF_TEST(who waited too long hears when to come back) {
  options.routing.wait_timeout = 2s;
  start();
  order_many(flood, 3);
  order_for(polite);
  pass(1s);
  pass(1s);
  CAF_REQUIRE_EQUAL(failures(), 3u);
  for (const auto& x : customer->all<order_failed>()) {
    CAF_CHECK(x.why.kind == error_kind::queue_timeout);
    CAF_CHECK_EQUAL(x.why.http_status(), 503);
    CAF_CHECK_EQUAL(x.why.retry_after, "1");
  }
  CAF_CHECK_EQUAL(options.counters->waiting.load(), 0u);
}

CAF_TEST(cancelled orders cost their tenant nothing) {
  start();
  order_many(flood, 4);
  std::vector<turn_id> gone;
  for (int i = 0; i < 50; ++i)
    gone.push_back(order_for(polite));
  for (const auto id : gone)
    send(aut, order_cancelled{id});
  const auto first = order_for(polite);
  complete();
  complete();
  CAF_CHECK_EQUAL(running(), first);
}

CAF_TEST(a retry waits in the line of its tenant) {
  add("b");
  targets[1].max_concurrency = 1;
  route_to({{0, 1}});
  start();
  const auto retried = order_for(flood);
  order_for(flood);
  order_many(flood, 2);
  const auto first = order_for(polite);
  // The place of its upstream goes to who waits; the retry waits for the other one.
  CAF_REQUIRE_EQUAL(running(0), retried);
  fail(error_kind::upstream_error, 0);
  CAF_CHECK_EQUAL(failures(), 0u);
  CAF_CHECK_EQUAL(options.counters->waiting.load(), 3u);
  std::vector<turn_id> served;
  for (int i = 0; i < 3; ++i) {
    complete(1);
    served.push_back(running(1));
  }
  CAF_CHECK_EQUAL(std::count(served.begin(), served.end(), first), 1);
  CAF_CHECK_EQUAL(served.back(), retried);
}

CAF_TEST(no place stays free while anybody may take it) {
  add("b");
  targets[1].max_concurrency = 1;
  route_to({{0, 1}});
  start();
  whose = flood;
  order();
  order();
  for (int i = 0; i < 10; ++i)
    order({1}); // they may only take the first
  whose = polite;
  order({1});
  const auto able = order();
  for (std::size_t client = 0; client < 2; ++client)
    if (last(client).upstream == 1)
      complete(client);
  CAF_CHECK_EQUAL(counted(1).outstanding.load(), 1u);
  bool runs = false;
  for (std::size_t client = 0; client < 2; ++client)
    runs = runs || running(client) == able;
  CAF_CHECK(runs);
}

CAF_TEST_FIXTURE_SCOPE_END()
