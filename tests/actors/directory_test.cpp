#define CAF_SUITE directory
#include "tests/actors/fixture.hpp"

#include "actors/directory.hpp"

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

struct directory_fixture : fixture {
  struct spawned {
    thread_key key;
    bool stateless;
    std::shared_ptr<conversation_inbox> inbox;
    conversation_actor actor;
  };

  std::vector<spawned> conversations;
  std::shared_ptr<request_inbox> requester = std::make_shared<request_inbox>();
  request_actor requester_actor = request_probe(requester);
  directory_actor aut = adopt(spawn_directory(sys, [this](const thread_key& key, bool stateless) {
    auto in = std::make_shared<conversation_inbox>();
    auto actor = conversation_probe(in);
    conversations.push_back({key, stateless, in, actor});
    return actor;
  }));

  turn_id ask(const std::string& tenant, const std::string& thread, bool stateless = false) {
    auto x = std::make_shared<turn>(requester_actor);
    x->key = {tenant, thread};
    x->stateless = stateless;
    const auto id = x->id;
    send(aut, std::move(x));
    return id;
  }

  ~directory_fixture() {
    for (auto& x : conversations)
      for (auto& t : x.inbox->all<turn_ptr>())
        t->forget();
    kill(aut);
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(directory_tests, directory_fixture)

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
  conversations[0].inbox->last<turn_ptr>()->forget();
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

CAF_TEST(a turn sent to a shard that is gone tells its requester) {
  kill(aut);
  ask("t", "1");
  CAF_REQUIRE_EQUAL(requester->count<turn_failed>(), 1u);
  CAF_CHECK(requester->last<turn_failed>().why.kind == error_kind::internal);
}

CAF_TEST_FIXTURE_SCOPE_END()
