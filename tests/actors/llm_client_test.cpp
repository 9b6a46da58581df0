#define CAF_SUITE llm_client
#include "tests/actors/fixture.hpp"
#include "tests/actors/scripted_upstream.hpp"

#include "actors/llm_client.hpp"

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

struct client_fixture : fixture {
  std::shared_ptr<scripted_upstream> upstream = std::make_shared<scripted_upstream>();
  std::shared_ptr<pool_inbox> pool = std::make_shared<pool_inbox>();
  std::shared_ptr<conversation_inbox> customer = std::make_shared<conversation_inbox>();
  std::shared_ptr<request_inbox> requester = std::make_shared<request_inbox>();
  conversation_actor customer_actor = conversation_probe(customer);
  request_actor requester_actor = request_probe(requester);
  llm_client_actor aut = adopt(spawn_llm_client(sys, pool_probe(pool), targets(), 1000));

  /// Two upstreams; the second one takes no `seed`.
  upstream_list targets() {
    auto out = std::make_shared<std::vector<upstream_target>>();
    out->push_back({"plain", upstream});
    out->push_back({"picky", upstream});
    out->back().policy = parameter_policy{.drop = {"seed"}};
    return out;
  }

  turn_id order(std::size_t target = 0, bool tell_first_token = false) {
    auto x = std::make_shared<llm_order>(next_turn_id(), customer_actor, requester_actor);
    x->context = {3, 5};
    x->parameters.forwarded = R"(,"seed":7)";
    x->spent.attempts = 2;
    const auto id = x->id;
    send(aut, llm_attempt{std::move(x), target, 4, tell_first_token});
    return id;
  }

  auto& exchange() {
    return *upstream->exchanges.back();
  }

  void deltas(const std::string& text) {
    exchange().listener->on_deltas({{0, text, "", "", ""}});
    sched.run();
  }

  ~client_fixture() {
    kill(aut);
    upstream->exchanges.clear();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(llm_client_tests, client_fixture)

CAF_TEST(an exchange starts with the configured credit and the key of the attempt) {
  order();
  CAF_CHECK_EQUAL(exchange().credit, 1000u);
  CAF_CHECK_EQUAL(exchange().key, 4u);
}

CAF_TEST(an upstream gets what its policy lets through and the requester hears what was dropped) {
  order();
  CAF_CHECK_EQUAL(exchange().forwarded, R"(,"seed":7)");
  deltas("x");
  CAF_CHECK_EQUAL(requester->last<answer_deltas>().origin->dropped, "");
  exchange().listener->on_completed(answer_of("x"));
  sched.run();
  order(1);
  CAF_CHECK_EQUAL(exchange().forwarded, "");
  deltas("x");
  const auto& origin = *requester->last<answer_deltas>().origin;
  CAF_CHECK_EQUAL(origin.dropped, "seed");
  CAF_CHECK_EQUAL(origin.upstream, "picky");
  CAF_CHECK_EQUAL(origin.attempts, 2u);
  exchange().listener->on_completed(answer_of("x"));
  sched.run();
  CAF_CHECK_EQUAL(customer->last<order_completed>().origin->dropped, "seed");
}

CAF_TEST(deltas go straight to the requester in order) {
  const auto id = order();
  deltas("Hel");
  deltas("lo");
  CAF_REQUIRE_EQUAL(requester->count<answer_deltas>(), 2u);
  CAF_CHECK_EQUAL(requester->all<answer_deltas>()[0].deltas[0].content, "Hel");
  CAF_CHECK_EQUAL(requester->all<answer_deltas>()[1].deltas[0].content, "lo");
  CAF_CHECK_EQUAL(requester->last<answer_deltas>().id, id);
  CAF_CHECK_EQUAL(requester->last<answer_deltas>().context.total, 5u);
}

CAF_TEST(credit of the requester reaches the exchange) {
  const auto id = order();
  send(aut, credit_granted{id, 77});
  CAF_CHECK_EQUAL(exchange().granted, 77u);
  send(aut, credit_granted{id + 1000, 5}); // of some other order
  CAF_CHECK_EQUAL(exchange().granted, 77u);
}

CAF_TEST(a complete answer goes to the conversation and frees the client) {
  const auto id = order();
  exchange().listener->on_completed(answer_of("hello"));
  sched.run();
  CAF_REQUIRE_EQUAL(customer->count<order_completed>(), 1u);
  CAF_CHECK_EQUAL(customer->last<order_completed>().id, id);
  CAF_REQUIRE_EQUAL(pool->count<llm_client_idle>(), 1u);
  CAF_CHECK_EQUAL(pool->last<llm_client_idle>().last, id);
}

CAF_TEST(a fault goes to the pool with the order) {
  const auto id = order();
  exchange().listener->on_failed({error_kind::upstream_timeout, "late"});
  sched.run();
  CAF_REQUIRE_EQUAL(pool->count<attempt_failed>(), 1u);
  auto& failed = pool->last<attempt_failed>();
  CAF_CHECK(failed.why.kind == error_kind::upstream_timeout);
  CAF_CHECK_EQUAL(failed.order->id, id);
  CAF_CHECK(!failed.begun);
  failed.order->forget();
  CAF_CHECK_EQUAL(pool->count<llm_client_idle>() + customer->count<order_failed>(), 0u);
}

CAF_TEST(the pool hears whether the requester has seen deltas) {
  order();
  deltas("x");
  exchange().listener->on_failed({error_kind::upstream_cut, "cut"});
  sched.run();
  CAF_CHECK(pool->last<attempt_failed>().begun);
  pool->last<attempt_failed>().order->forget();
}

CAF_TEST(the pool hears of the first token at once if it asks for that) {
  const auto id = order(0, true);
  deltas("x");
  deltas("y");
  CAF_REQUIRE_EQUAL(pool->count<attempt_begun>(), 1u);
  CAF_CHECK_EQUAL(pool->last<attempt_begun>().id, id);
  exchange().listener->on_completed(answer_of("xy"));
  sched.run();
  order();
  deltas("x");
  CAF_CHECK_EQUAL(pool->count<attempt_begun>(), 1u);
}

CAF_TEST(the pool hears how long the first delta took) {
  order();
  deltas("x");
  exchange().listener->on_completed(answer_of("x"));
  sched.run();
  CAF_CHECK(pool->last<llm_client_idle>().completed);
  CAF_CHECK(pool->last<llm_client_idle>().ttft.has_value());
  order();
  exchange().listener->on_completed(answer_of("plain"));
  sched.run();
  CAF_CHECK(!pool->last<llm_client_idle>().ttft);
}

CAF_TEST(a cancelled order ends its exchange and nobody hears of it) {
  const auto id = order();
  send(aut, order_cancelled{id});
  CAF_CHECK(exchange().cancelled);
  CAF_CHECK_EQUAL(pool->count<llm_client_idle>(), 1u);
  deltas("late");
  CAF_CHECK_EQUAL(requester->count<answer_deltas>(), 0u);
  CAF_CHECK_EQUAL(customer->count<order_failed>() + customer->count<order_completed>(), 0u);
}

CAF_TEST(late events of a cancelled exchange do not touch the next one) {
  const auto first = order();
  send(aut, order_cancelled{first});
  order();
  upstream->exchanges.front()->listener->on_completed(answer_of("of the first"));
  sched.run();
  CAF_CHECK_EQUAL(customer->count<order_completed>(), 0u);
  exchange().listener->on_completed(answer_of("of the second"));
  sched.run();
  CAF_CHECK_EQUAL(customer->count<order_completed>(), 1u);
}

CAF_TEST(a client that dies cancels its exchange and tells the conversation) {
  order();
  kill(aut);
  CAF_CHECK(exchange().cancelled);
  CAF_REQUIRE_EQUAL(customer->count<order_failed>(), 1u);
  CAF_CHECK(customer->last<order_failed>().why.kind == error_kind::internal);
}

CAF_TEST_FIXTURE_SCOPE_END()
