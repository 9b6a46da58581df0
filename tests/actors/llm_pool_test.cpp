#define CAF_SUITE llm_pool
#include "tests/actors/pool_fixture.hpp"

using namespace lang_agent;
using namespace lang_agent::test;
using namespace std::chrono_literals;

CAF_TEST_FIXTURE_SCOPE(llm_pool_tests, pool_fixture)

CAF_TEST(each order gets a client of its own) {
  start();
  order();
  order();
  CAF_REQUIRE_EQUAL(clients.size(), 2u);
  CAF_CHECK_EQUAL(attempts(0), 1u);
  CAF_CHECK_EQUAL(attempts(1), 1u);
}

CAF_TEST(a free client is used again) {
  start();
  order();
  complete(0);
  order();
  CAF_CHECK_EQUAL(clients.size(), 1u);
  CAF_CHECK_EQUAL(attempts(0), 2u);
}

CAF_TEST(orders beyond the concurrency wait and follow in order) {
  targets[0].max_concurrency = 1;
  start();
  order();
  const auto second = order();
  const auto third = order();
  CAF_CHECK_EQUAL(clients.size(), 1u);
  CAF_CHECK_EQUAL(attempts(0), 1u);
  complete(0);
  CAF_CHECK_EQUAL(last(0).order->id, second);
  complete(0);
  CAF_CHECK_EQUAL(last(0).order->id, third);
}

CAF_TEST(orders beyond the queue are refused at once) {
  targets[0].max_concurrency = 1;
  options.routing.max_waiting = 1;
  start();
  order();
  order();
  CAF_CHECK_EQUAL(customer->count<order_failed>(), 0u);
  const auto refused = order();
  CAF_REQUIRE_EQUAL(customer->count<order_failed>(), 1u);
  CAF_CHECK_EQUAL(customer->last<order_failed>().id, refused);
  CAF_CHECK_EQUAL(customer->last<order_failed>().why.http_status(), 503);
  CAF_CHECK(!customer->last<order_failed>().why.retry_after.empty());
}

CAF_TEST(an order that waits too long is refused) {
  targets[0].max_concurrency = 1;
  options.routing.wait_timeout = 3s;
  start();
  order();
  const auto waiting = order();
  pass(1s);
  pass(1s);
  CAF_CHECK_EQUAL(customer->count<order_failed>(), 0u);
  pass(1s);
  CAF_REQUIRE_EQUAL(customer->count<order_failed>(), 1u);
  CAF_CHECK_EQUAL(customer->last<order_failed>().id, waiting);
  CAF_CHECK(customer->last<order_failed>().why.kind == error_kind::queue_timeout);
}

CAF_TEST(an order that would wait too long is refused at once) {
  targets[0].max_concurrency = 1;
  options.routing.wait_timeout = 2s;
  start();
  std::vector<turn_id> orders;
  for (int i = 0; i < 160; ++i)
    orders.push_back(order());
  CAF_CHECK_EQUAL(failures(), 0u); // nobody knows yet how fast it goes
  for (int i = 0; i < 40; ++i) {
    pass(20ms);
    complete(0);
  }
  const auto refused = order(); // behind 119 others
  CAF_REQUIRE_EQUAL(failures(), 1u);
  CAF_CHECK_EQUAL(customer->last<order_failed>().id, refused);
  CAF_CHECK(failed().kind == error_kind::overloaded);
  for (int i = 0; i < 40; ++i)
    send(aut, order_cancelled{orders[static_cast<std::size_t>(60 + i)]});
  order();
  CAF_CHECK_EQUAL(failures(), 1u);
}

CAF_TEST(cancelling reaches the client that runs the order) {
  start();
  const auto id = order();
  send(aut, order_cancelled{id});
  CAF_CHECK_EQUAL(inboxes[0]->count<order_cancelled>(), 1u);
}

CAF_TEST(a cancelled order that waits is forgotten and its place is free) {
  targets[0].max_concurrency = 1;
  options.routing.max_waiting = 1;
  start();
  order();
  const auto waiting = order();
  send(aut, order_cancelled{waiting});
  const auto next = order();
  CAF_CHECK_EQUAL(customer->count<order_failed>(), 0u);
  complete(0);
  CAF_CHECK_EQUAL(last(0).order->id, next);
}

CAF_TEST(a client that dies fails its order and frees its place) {
  targets[0].max_concurrency = 1;
  start();
  const auto lost = order();
  const auto waiting = order();
  last().order.reset(); // as the state of a dead client would
  kill(clients[0]);
  CAF_REQUIRE_EQUAL(customer->count<order_failed>(), 1u);
  CAF_CHECK_EQUAL(customer->last<order_failed>().id, lost);
  CAF_CHECK(customer->last<order_failed>().why.kind == error_kind::internal);
  CAF_REQUIRE_EQUAL(clients.size(), 2u);
  CAF_CHECK_EQUAL(last(1).order->id, waiting);
}

CAF_TEST(a pool that dies fails what waits and ends its clients) {
  targets[0].max_concurrency = 1;
  start();
  order();
  const auto waiting = order();
  self->monitor(clients[0]);
  kill(aut);
  CAF_REQUIRE_EQUAL(customer->count<order_failed>(), 1u);
  CAF_CHECK_EQUAL(customer->last<order_failed>().id, waiting);
  expect((caf::down_msg), to(self).with(_));
}

CAF_TEST_FIXTURE_SCOPE_END()
