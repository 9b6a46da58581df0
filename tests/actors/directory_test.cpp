#define CAF_SUITE directory
#include "tests/actors/directory_fixture.hpp"

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

struct started_fixture : directory_fixture {
  started_fixture() {
    start();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(directory_tests, started_fixture)

CAF_TEST(turns of one thread go to one conversation in order) {
  const auto first = ask("t", "1");
  const auto second = ask("t", "1");
  CAF_REQUIRE_EQUAL(conversations.size(), 1u);
  const auto& turns = conversations[0].inbox->all<turn_ptr>();
  CAF_REQUIRE_EQUAL(turns.size(), 2u);
  CAF_CHECK_EQUAL(turns[0]->id, first);
  CAF_CHECK_EQUAL(turns[1]->id, second);
}

CAF_TEST(the same thread id of two tenants is two conversations) {
  ask("a", "1");
  ask("b", "1");
  ask("a", "2");
  CAF_CHECK_EQUAL(conversations.size(), 3u);
}

CAF_TEST(a cancellation follows its turn and never makes a conversation) {
  const auto id = ask("t", "1");
  send(aut, turn_cancelled{{"t", "1"}, id});
  CAF_CHECK_EQUAL(conversations[0].inbox->count<turn_cancelled>(), 1u);
  send(aut, turn_cancelled{{"t", "unknown"}, id});
  CAF_CHECK_EQUAL(conversations.size(), 1u);
}

CAF_TEST(each stateless turn has a conversation to itself) {
  ask("t", "", true);
  ask("t", "", true);
  CAF_REQUIRE_EQUAL(conversations.size(), 2u);
  CAF_CHECK(conversations[1].stateless);
}

CAF_TEST(a conversation that crashed is replaced at the next turn) {
  ask("t", "1");
  kill(conversations[0].actor);
  ask("t", "1");
  CAF_REQUIRE_EQUAL(conversations.size(), 2u);
  CAF_CHECK_EQUAL(conversations[1].inbox->count<turn_ptr>(), 1u);
}

CAF_TEST(a shard that ends takes its conversations along) {
  ask("t", "1");
  self->monitor(conversations[0].actor);
  kill(aut);
  expect((caf::down_msg), to(self).with(_));
}

CAF_TEST(a stateless turn is cancelled in its own conversation) {
  ask("t", "", true);
  const auto second = ask("t", "", true);
  send(aut, turn_cancelled{{"t", ""}, second});
  CAF_CHECK_EQUAL(conversations[0].inbox->count<turn_cancelled>(), 0u);
  CAF_CHECK_EQUAL(conversations[1].inbox->count<turn_cancelled>(), 1u);
}

CAF_TEST(a change goes through the conversation of its thread) {
  change("t", "1");
  CAF_REQUIRE_EQUAL(conversations.size(), 1u);
  CAF_CHECK_EQUAL(conversations[0].inbox->count<change_thread>(), 1u);
  ask("t", "1");
  change("t", "1");
  CAF_CHECK_EQUAL(conversations.size(), 1u);
  CAF_CHECK_EQUAL(conversations[0].inbox->count<change_thread>(), 2u);
}

CAF_TEST(a turn sent to a shard that is gone tells its requester) {
  kill(aut);
  ask("t", "1");
  CAF_REQUIRE_EQUAL(requester->count<turn_failed>(), 1u);
  CAF_CHECK(requester->last<turn_failed>().why.kind == error_kind::internal);
}

CAF_TEST_FIXTURE_SCOPE_END()
