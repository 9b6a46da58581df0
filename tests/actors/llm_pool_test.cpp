#define CAF_SUITE llm_pool
#include "tests/actors/fixture.hpp"

#include "actors/llm_pool.hpp"

using namespace lang_agent;
using namespace lang_agent::test;
using namespace std::chrono_literals;

namespace {

struct pool_fixture : fixture {
  llm_pool_options options;
  std::vector<std::shared_ptr<client_inbox>> inboxes; ///< of the clients, as they were spawned
  std::vector<llm_client_actor> clients;
  std::shared_ptr<conversation_inbox> customer = std::make_shared<conversation_inbox>();
  conversation_actor customer_actor = conversation_probe(customer);
  request_actor requester = request_probe(std::make_shared<request_inbox>());
  llm_pool_actor aut;

  void start() {
    aut = adopt(spawn_llm_pool(sys, options, [this](const llm_pool_actor&) {
      inboxes.push_back(std::make_shared<client_inbox>());
      clients.push_back(client_probe(inboxes.back()));
      return clients.back();
    }));
  }

  turn_id order() {
    auto x = std::make_shared<llm_order>(next_turn_id(), customer_actor, requester);
    const auto id = x->id;
    send(aut, std::move(x));
    return id;
  }

  /// A client says that it is done.
  void idle(std::size_t client) {
    auto& done = inboxes[client]->last<order_ptr>();
    const auto id = done->id;
    done->forget();
    send(aut, llm_client_idle{clients[client], id});
  }

  std::size_t orders(std::size_t client) {
    return inboxes[client]->count<order_ptr>();
  }

  ~pool_fixture() {
    for (auto& inbox : inboxes)
      for (auto& x : inbox->all<order_ptr>())
        x->forget();
    kill(aut);
    customer->all<order_failed>().clear();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(llm_pool_tests, pool_fixture)

CAF_TEST(each order gets a client of its own) {
  start();
  order();
  order();
  CAF_REQUIRE_EQUAL(clients.size(), 2u);
  CAF_CHECK_EQUAL(orders(0), 1u);
  CAF_CHECK_EQUAL(orders(1), 1u);
}

CAF_TEST(a free client is used again) {
  start();
  order();
  idle(0);
  order();
  CAF_CHECK_EQUAL(clients.size(), 1u);
  CAF_CHECK_EQUAL(orders(0), 2u);
}

CAF_TEST(orders beyond the concurrency wait and follow in order) {
  options.max_concurrency = 1;
  start();
  order();
  const auto second = order();
  const auto third = order();
  CAF_CHECK_EQUAL(clients.size(), 1u);
  CAF_CHECK_EQUAL(orders(0), 1u);
  idle(0);
  CAF_CHECK_EQUAL(inboxes[0]->last<order_ptr>()->id, second);
  idle(0);
  CAF_CHECK_EQUAL(inboxes[0]->last<order_ptr>()->id, third);
}

CAF_TEST(orders beyond the queue are refused at once) {
  options.max_concurrency = 1;
  options.max_waiting = 1;
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
  options.max_concurrency = 1;
  options.wait_timeout = 3s;
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

CAF_TEST(cancelling reaches the client that runs the order) {
  start();
  const auto id = order();
  send(aut, order_cancelled{id});
  CAF_CHECK_EQUAL(inboxes[0]->count<order_cancelled>(), 1u);
}

CAF_TEST(a cancelled order that waits is forgotten and its place is free) {
  options.max_concurrency = 1;
  options.max_waiting = 1;
  start();
  order();
  const auto waiting = order();
  send(aut, order_cancelled{waiting});
  const auto next = order();
  CAF_CHECK_EQUAL(customer->count<order_failed>(), 0u);
  idle(0);
  CAF_CHECK_EQUAL(inboxes[0]->last<order_ptr>()->id, next);
}

CAF_TEST(a client that dies fails its order and frees its place) {
  options.max_concurrency = 1;
  start();
  const auto lost = order();
  const auto waiting = order();
  inboxes[0]->all<order_ptr>().clear(); // as the state of a dead client would
  kill(clients[0]);
  CAF_REQUIRE_EQUAL(customer->count<order_failed>(), 1u);
  CAF_CHECK_EQUAL(customer->last<order_failed>().id, lost);
  CAF_CHECK(customer->last<order_failed>().why.kind == error_kind::internal);
  CAF_REQUIRE_EQUAL(clients.size(), 2u);
  CAF_CHECK_EQUAL(inboxes[1]->last<order_ptr>()->id, waiting);
}

CAF_TEST(a pool that dies fails what waits and ends its clients) {
  options.max_concurrency = 1;
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
