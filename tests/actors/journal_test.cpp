#define CAF_SUITE journal
#include "tests/actors/fixture.hpp"

#include "actors/journal.hpp"
#include "store/memory_store.hpp"

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

struct broken_store : store::thread_store {
  store::thread_record load(const thread_key&) override {
    throw store::storage_error{"no disk"};
  }
  void append(const store::turn_record&) override {
    throw store::storage_error{"no disk"};
  }
};

struct journal_fixture : fixture {
  std::shared_ptr<conversation_inbox> inbox = std::make_shared<conversation_inbox>();
  conversation_actor conversation = conversation_probe(inbox);
  const thread_key key{"tenant", "thread"};

  journal_actor start(std::shared_ptr<store::thread_store> store) {
    return adopt(spawn_journal(sys, std::move(store)));
  }

  store_turn turn(const std::string& text) {
    return {1, key, {}, 0, {message("user", text)}, conversation};
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(journal_tests, journal_fixture)

CAF_TEST(what was stored is loaded again) {
  const auto aut = start(std::make_shared<store::memory_store>());
  send(aut, turn("hi"));
  CAF_REQUIRE_EQUAL(inbox->count<turn_stored>(), 1u);
  CAF_CHECK(!inbox->last<turn_stored>().why);
  send(aut, load_thread{key, conversation});
  CAF_REQUIRE_EQUAL(inbox->count<thread_loaded>(), 1u);
  CAF_CHECK_EQUAL(inbox->last<thread_loaded>().history.size(), 1u);
}

CAF_TEST(a store that fails is reported and the journal goes on) {
  const auto aut = start(std::make_shared<broken_store>());
  send(aut, turn("hi"));
  send(aut, load_thread{key, conversation});
  CAF_REQUIRE(inbox->last<turn_stored>().why);
  CAF_CHECK(inbox->last<turn_stored>().why->kind == error_kind::storage_unavailable);
  CAF_REQUIRE(inbox->last<thread_loaded>().why);
  CAF_CHECK(inbox->last<thread_loaded>().why->message.find("disk") == std::string::npos);
}

CAF_TEST_FIXTURE_SCOPE_END()
