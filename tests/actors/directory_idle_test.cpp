#define CAF_SUITE directory_idle
#include "tests/actors/directory_fixture.hpp"

using namespace lang_agent;
using namespace lang_agent::test;
using namespace std::chrono_literals;

namespace {

struct idle_fixture : directory_fixture {
  idle_fixture() {
    options.idle_after = 10s;
  }

  /// Time passes in the steps of the shard's clock.
  void wait(std::chrono::seconds x) {
    for (; x.count() > 0; --x)
      pass(1s);
  }

  /// A conversation says how much memory it takes.
  void take(std::size_t i, std::size_t bytes) {
    conversations[i].memory.lock()->set(bytes);
  }

  bool ended(std::size_t i) const {
    return *conversations[i].ended;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(directory_idle_tests, idle_fixture)

CAF_TEST(a conversation without a turn leaves memory and the next turn makes another one) {
  start();
  talk("1");
  wait(9s);
  CAF_CHECK(!ended(0));
  wait(4s); // its shard looks four times in that time
  CAF_CHECK(ended(0));
  ask("t", "1");
  CAF_REQUIRE_EQUAL(conversations.size(), 2u);
  CAF_CHECK_EQUAL(conversations[1].inbox->count<turn_ptr>(), 1u);
}

CAF_TEST(each turn makes a conversation stay longer) {
  start();
  talk("1");
  for (int i = 0; i < 5; ++i) {
    wait(8s);
    talk("1");
  }
  CAF_CHECK_EQUAL(conversations.size(), 1u);
  CAF_CHECK(!ended(0));
}

CAF_TEST(a conversation that still has a turn never leaves) {
  start();
  ask("t", "1");
  wait(60s);
  CAF_CHECK(!ended(0));
  finish(0);
  wait(12s);
  CAF_CHECK(ended(0));
}

CAF_TEST(a conversation that still has a change never leaves) {
  start();
  talk("1");
  change("t", "1");
  wait(60s);
  CAF_CHECK(!ended(0));
  finish(0);
  wait(12s);
  CAF_CHECK(ended(0));
}

CAF_TEST(a change after its conversation left goes to the journal) {
  start();
  talk("1");
  wait(12s);
  change("t", "1");
  CAF_CHECK_EQUAL(conversations.size(), 1u);
  CAF_CHECK_EQUAL(journal->count<change_thread>(), 1u);
}

CAF_TEST(a turn that is still on its way keeps its conversation) {
  start();
  talk("1");
  wait(9s);
  auto x = std::make_shared<turn>(requester_actor);
  x->key = {"t", "1"};
  caf::anon_send(aut, std::move(x)); // nobody has run yet
  pass(1s);
  wait(5s);
  CAF_CHECK_EQUAL(conversations.size(), 1u);
  CAF_CHECK(!ended(0));
}

CAF_TEST(those without a turn for the longest time leave first) {
  start();
  talk("1");
  wait(4s);
  talk("2");
  wait(4s);
  talk("1");
  wait(7s);
  CAF_CHECK(ended(1));
  CAF_CHECK(!ended(0));
  wait(5s);
  CAF_CHECK(ended(0));
}

CAF_TEST(a cancellation or a late event does not bring a conversation back) {
  start();
  const auto id = ask("t", "1");
  finish(0);
  wait(12s);
  send(aut, turn_cancelled{{"t", "1"}, id});
  CAF_CHECK_EQUAL(conversations.size(), 1u);
}

CAF_TEST(when memory is short the least recently used leave at once) {
  options.max_active_bytes = 1000;
  start();
  talk("1");
  talk("2");
  talk("3");
  for (std::size_t i = 0; i < 3; ++i)
    take(i, 300);
  talk("1");
  CAF_CHECK_EQUAL(awake(), 3u);
  take(0, 500); // 1100 together
  talk("4");
  CAF_CHECK(ended(1));
  CAF_CHECK(!ended(0));
  CAF_CHECK(!ended(2));
  CAF_CHECK(!ended(3));
}

CAF_TEST(when memory is short a busy conversation stays) {
  options.max_active_bytes = 1000;
  start();
  ask("t", "1");
  talk("2");
  // `talk` ends all turns.
  ask("t", "1");
  take(0, 5000);
  take(1, 10);
  ask("t", "3");
  CAF_CHECK(!ended(0));
  CAF_CHECK(ended(1));
  CAF_CHECK(!ended(2));
  wait(3s);
  CAF_CHECK(!ended(0));
  finish(0);
  wait(3s); // no turn has to come for that
  CAF_CHECK(ended(0));
}

CAF_TEST(the memory of all shards counts) {
  options.max_active_bytes = 1000;
  start();
  talk("1");
  take(0, 100);
  footprint neighbour{options.memory};
  neighbour.set(2000);
  wait(3s);
  CAF_CHECK(ended(0));
}

CAF_TEST(without a bound nobody leaves for memory) {
  start();
  talk("1");
  take(0, 1'000'000'000);
  talk("2");
  wait(3s);
  CAF_CHECK_EQUAL(awake(), 2u);
}

CAF_TEST(a conversation that left takes no memory) {
  start();
  talk("1");
  take(0, 500);
  CAF_CHECK_EQUAL(options.memory->load(), 500u);
  wait(12s);
  CAF_CHECK_EQUAL(options.memory->load(), 0u);
  CAF_CHECK(conversations[0].memory.expired());
}

CAF_TEST(a shard where nobody is awake has no clock) {
  start();
  CAF_CHECK(!sched.has_pending_timeout());
  talk("1");
  CAF_CHECK(sched.has_pending_timeout());
  wait(12s);
  CAF_CHECK(ended(0));
  CAF_CHECK(!sched.has_pending_timeout());
  talk("1");
  CAF_CHECK(sched.has_pending_timeout());
}

CAF_TEST(a stateless turn is not watched) {
  start();
  ask("t", "", true);
  CAF_CHECK(!sched.has_pending_timeout());
}

CAF_TEST_FIXTURE_SCOPE_END()
