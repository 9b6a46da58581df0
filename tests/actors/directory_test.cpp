#define CAF_SUITE directory
#include "tests/actors/directory_fixture.hpp"

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

struct started_fixture : directory_fixture {
  std::shared_ptr<store_client_inbox> client = std::make_shared<store_client_inbox>();

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
  ask("t", "1");
  change("t", "1");
  CAF_CHECK_EQUAL(conversations.size(), 1u);
  CAF_REQUIRE_EQUAL(conversations[0].inbox->count<change_thread>(), 1u);
  CAF_CHECK(conversations[0].inbox->last<change_thread>().in_conversation);
  CAF_CHECK_EQUAL(journal->count<change_thread>(), 0u);
}

CAF_TEST(a change of a thread without a conversation goes to the journal and makes none) {
  ask("t", "1");
  const thread_key key{"t", "2"};
  send(aut, change_thread{key, delete_thread{key, 5}, store_client_probe(client)});
  CAF_CHECK_EQUAL(conversations.size(), 1u);
  CAF_CHECK_EQUAL(conversations[0].inbox->count<change_thread>(), 0u);
  CAF_REQUIRE_EQUAL(journal->count<change_thread>(), 1u);
  const auto& x = journal->last<change_thread>();
  CAF_CHECK(x.key == key);
  CAF_CHECK_EQUAL(std::get<delete_thread>(x.change).updated_before, 5);
  CAF_CHECK(x.reply_to);
  CAF_CHECK(!x.through);
  CAF_CHECK(x.place);
  CAF_CHECK_EQUAL(client->count<store_answer>(), 0u); // by the journal, when it is made
}

CAF_TEST(a change that finds the journal busy is refused) {
  const auto full = gate->try_enter(2 * 1024 * 1024);
  const thread_key key{"t", "1"};
  send(aut, change_thread{key, delete_thread{key}, store_client_probe(client)});
  CAF_CHECK_EQUAL(journal->count<change_thread>(), 0u);
  CAF_REQUIRE_EQUAL(client->count<store_answer>(), 1u);
  const auto& why = std::get<failure>(client->last<store_answer>().result);
  CAF_CHECK(why.kind == error_kind::storage_unavailable);
  CAF_CHECK(!why.retry_after.empty());
  change("t", "1"); // nobody waits for this one
  CAF_CHECK_EQUAL(journal->count<change_thread>(), 0u);
}

CAF_TEST(a turn sent to a shard that is gone tells its requester) {
  kill(aut);
  ask("t", "1");
  CAF_REQUIRE_EQUAL(requester->count<turn_failed>(), 1u);
  CAF_CHECK(requester->last<turn_failed>().why.kind == error_kind::internal);
}

CAF_TEST_FIXTURE_SCOPE_END()
