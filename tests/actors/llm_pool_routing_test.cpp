#define CAF_SUITE llm_pool_routing
#include "tests/actors/pool_fixture.hpp"

using namespace lang_agent;
using namespace lang_agent::test;
using namespace std::chrono_literals;

namespace {

/// Which upstreams the running attempts of all clients use, by count.
std::vector<std::size_t> spread(pool_fixture& x) {
  std::vector<std::size_t> out(x.targets.size());
  for (std::size_t i = 0; i < x.clients.size(); ++i)
    ++out[x.last(i).upstream];
  return out;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(llm_pool_routing_tests, pool_fixture)

CAF_TEST(turns spread over the upstreams of a group) {
  add("b");
  route_to({{0, 1}});
  start();
  for (int i = 0; i < 100; ++i)
    order();
  CAF_CHECK_EQUAL(spread(*this), (std::vector<std::size_t>{50, 50}));
}

CAF_TEST(turns spread by weight) {
  add("b").weight = 3;
  route_to({{0, 1}});
  start();
  for (int i = 0; i < 100; ++i)
    order();
  CAF_CHECK_EQUAL(spread(*this), (std::vector<std::size_t>{25, 75}));
}

CAF_TEST(the faster upstream gets more turns) {
  add("b");
  route_to({{0, 1}});
  start();
  order();
  order();
  for (std::size_t i = 0; i < 2; ++i)
    complete(i, last(i).upstream == 0 ? 400ms : 100ms);
  for (int i = 0; i < 100; ++i)
    order();
  const auto counts = spread(*this);
  CAF_CHECK_GREATER(counts[1], counts[0] * 3);
  CAF_CHECK_GREATER(counts[0], 10u);
}

CAF_TEST(only the first group is asked while it can be) {
  add("b");
  route_to({{1}, {0}});
  start();
  for (int i = 0; i < 10; ++i)
    order();
  CAF_CHECK_EQUAL(spread(*this), (std::vector<std::size_t>{0, 10}));
}

CAF_TEST(a busy group makes turns wait and not fall back) {
  add("b");
  route_to({{0}, {1}});
  targets[0].max_concurrency = 1;
  start();
  order();
  const auto second = order();
  CAF_CHECK_EQUAL(attempts(), 1u);
  complete();
  CAF_CHECK_EQUAL(last().order->id, second);
  CAF_CHECK_EQUAL(last().upstream, 0u);
}

CAF_TEST(groups that share an upstream share its places) {
  add("b");
  route_to({{0, 1}});
  targets[0].max_concurrency = targets[1].max_concurrency = 1;
  const auto both = where;
  route_to({{0}});
  const auto only_a = where;
  start();
  where = both;
  order();
  order();
  where = only_a;
  const auto waiting = order();
  CAF_CHECK_EQUAL(clients.size(), 2u);
  const std::size_t on_a = last(0).upstream == 0 ? 0 : 1;
  complete(1 - on_a);
  CAF_CHECK_EQUAL(options.counters->waiting.load(), 1u);
  complete(on_a);
  CAF_CHECK_EQUAL(options.counters->waiting.load(), 0u);
  bool runs = false;
  for (std::size_t i = 0; i < clients.size(); ++i)
    runs = runs || (last(i).order && last(i).order->id == waiting && last(i).upstream == 0);
  CAF_CHECK(runs);
}

CAF_TEST(an upstream that does not take such a request is not asked) {
  add("b");
  route_to({{0}, {1}});
  start();
  order({0});
  CAF_CHECK_EQUAL(last().upstream, 1u);
  order();
  CAF_CHECK_EQUAL(last(1).upstream, 0u);
}

CAF_TEST(a turn that only a busy upstream may take holds up no others) {
  add("b");
  route_to({{0, 1}});
  targets[0].max_concurrency = 1;
  start();
  order({1});
  order({1}); // waits
  CAF_CHECK_EQUAL(options.counters->waiting.load(), 1u);
  order();
  CAF_CHECK_EQUAL(options.counters->waiting.load(), 1u);
  CAF_CHECK_EQUAL(last(1).upstream, 1u);
}

CAF_TEST(a member that hangs does not attract the turns of the others) {
  add("b");
  route_to({{0, 1}});
  start();
  std::size_t silent = 0;
  for (int i = 0; i < 200; ++i) {
    order();
    for (std::size_t c = 0; c < clients.size(); ++c)
      if (last(c).order && last(c).upstream == 0)
        complete(c, 300ms);
    silent = 0;
    for (std::size_t c = 0; c < clients.size(); ++c)
      silent += last(c).order && last(c).upstream == 1;
  }
  CAF_CHECK_LESS(silent, 10u);
}

CAF_TEST_FIXTURE_SCOPE_END()
