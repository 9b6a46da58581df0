#define CAF_SUITE conversation_change
#include "tests/actors/conversation_fixture.hpp"

#include "actors/ledger.hpp"

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

struct change_fixture : conversation_fixture {
  client first = new_client();
  client second = new_client();

  void fork_here() {
    change(fork_thread{{"tenant", "source"}, key, {}, 1});
  }

  void import_here() {
    change(finish_import{"import", key, {}});
  }

  bool was_deleted(const client& x) {
    return x.inbox->count<turn_failed>() == 1 && x.why().kind == error_kind::thread_changed;
  }

  std::size_t loads() const {
    return journal->count<load_thread>();
  }

  std::size_t told() const {
    return store_client->count<store_answer>();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(conversation_change_tests, change_fixture)

CAF_TEST(a change goes to the journal by way of the conversation) {
  start_loaded(messages_of(R"([{"role":"user","content":"old"}])"));
  erase();
  CAF_REQUIRE_EQUAL(changes(), 1u);
  const auto& x = journal->last<change_thread>();
  CAF_CHECK(x.through == aut);
  CAF_CHECK(x.reply_to == asking_actor);
  CAF_CHECK(std::get<delete_thread>(x.change).key == key);
  CAF_CHECK(x.place);
  CAF_CHECK(!std::get<delete_thread>(x.change).may_be_missing);
  CAF_CHECK_EQUAL(told(), 0u); // by the journal, when it is made
}

CAF_TEST(after a change the thread is loaded anew) {
  start_loaded(messages_of(R"([{"role":"user","content":"old"}])"));
  erase();
  changed();
  say("new");
  CAF_CHECK_EQUAL(orders(), 0u);
  CAF_CHECK_EQUAL(loads(), 2u);
  load();
  CAF_REQUIRE_EQUAL(orders(), 1u);
  CAF_CHECK_EQUAL(order().prompt.size(), 1u);
}

CAF_TEST(a turn waits until a change is made) {
  start_loaded();
  erase();
  const auto id = say("new");
  CAF_CHECK_EQUAL(loads(), 1u);
  changed();
  CAF_CHECK_EQUAL(loads(), 2u);
  load();
  CAF_CHECK_EQUAL(order().id, id);
}

CAF_TEST(a turn waits until the last of several changes is made) {
  start_loaded();
  erase();
  fork_here();
  CAF_CHECK_EQUAL(changes(), 2u);
  say("new");
  changed();
  CAF_CHECK_EQUAL(loads(), 1u);
  changed();
  CAF_CHECK_EQUAL(loads(), 2u);
}

CAF_TEST(a turn that waits for a change can be cancelled) {
  start_loaded();
  erase();
  const auto id = say("new", {}, first.actor);
  cancel(id);
  CAF_CHECK(first.why().kind == error_kind::client_gone);
  changed();
  CAF_CHECK_EQUAL(loads(), 1u);
}

CAF_TEST(deleting ends the running turn and those that wait) {
  start_loaded();
  const auto id = say("one", {}, first.actor);
  say("two", {}, second.actor);
  erase();
  CAF_REQUIRE_EQUAL(pool->count<order_cancelled>(), 1u);
  CAF_CHECK_EQUAL(pool->last<order_cancelled>().id, id);
  CAF_CHECK(was_deleted(first));
  CAF_CHECK(was_deleted(second));
  CAF_CHECK_EQUAL(changes(), 1u);
  // Its late answer changes nothing.
  complete(id, "late");
  CAF_CHECK_EQUAL(stores(), 0u);
  changed();
  CAF_CHECK_EQUAL(orders(), 1u);
  CAF_CHECK_EQUAL(loads(), 1u);
}

CAF_TEST(deleting a thread whose first turn is running finds something to delete) {
  const auto was_missing_allowed = [&] {
    CAF_REQUIRE_EQUAL(changes(), 1u);
    return std::get<delete_thread>(journal->last<change_thread>().change).may_be_missing;
  };
  start();
  say("one", {}, first.actor);
  load(); // there is no such thread
  erase();
  CAF_CHECK(was_deleted(first));
  CAF_CHECK(was_missing_allowed());
}

CAF_TEST(deleting a thread whose first turn waits finds something to delete) {
  start();
  say("one", {}, first.actor); // the thread is loading
  erase();
  CAF_CHECK(was_deleted(first));
  CAF_CHECK(std::get<delete_thread>(journal->last<change_thread>().change).may_be_missing);
}

CAF_TEST(deleting ends a turn and its retries) {
  start_loaded();
  say("one", {}, first.actor);
  say("one", {"", true}, second.actor);
  erase();
  CAF_CHECK(was_deleted(first));
  CAF_CHECK(was_deleted(second));
}

CAF_TEST(deleting comes after the storing of a turn that is under way) {
  start_loaded();
  const auto id = say("one", {}, first.actor);
  complete(id, "1");
  CAF_CHECK_EQUAL(stores(), 1u);
  erase();
  CAF_CHECK_EQUAL(pool->count<order_cancelled>(), 0u);
  CAF_CHECK(was_deleted(first));
  stored(id);
  CAF_CHECK_EQUAL(first.answers(), 0u);
  changed();
  say("new");
  CAF_CHECK_EQUAL(loads(), 2u);
}

CAF_TEST(deleting ends a turn whose earlier answer is looked for) {
  start_loaded();
  const auto id = say("one", {"key"}, first.actor);
  erase();
  CAF_CHECK(was_deleted(first));
  found(id, {"{}", false});
  CAF_CHECK_EQUAL(first.answers(), 0u);
  CAF_CHECK_EQUAL(orders() + pool->count<order_cancelled>(), 0u);
}

CAF_TEST(deleting while the thread is loaded makes that void) {
  start();
  say("one", {}, first.actor);
  erase();
  CAF_CHECK(was_deleted(first));
  CAF_CHECK_EQUAL(changes(), 1u);
  say("two", {}, second.actor);
  load(messages_of(R"([{"role":"user","content":"old"}])"));
  CAF_CHECK_EQUAL(orders(), 0u);
  changed();
  CAF_CHECK_EQUAL(loads(), 2u);
  load();
  CAF_REQUIRE_EQUAL(orders(), 1u);
  CAF_CHECK_EQUAL(order().prompt.size(), 1u);
}

CAF_TEST(a new thread is not made where a turn is running) {
  start_loaded();
  const auto id = say("one", {}, first.actor);
  fork_here();
  CAF_CHECK(refused() == refusal::thread_exists);
  import_here();
  CAF_CHECK(refused() == refusal::thread_exists);
  CAF_CHECK_EQUAL(told(), 2u);
  CAF_CHECK_EQUAL(changes(), 0u);
  complete(id, "1");
  stored(id);
  CAF_CHECK_EQUAL(first.answers(), 1u);
}

CAF_TEST(a new thread is not made where a turn waits for the thread) {
  start();
  say("one", {}, first.actor);
  fork_here();
  CAF_CHECK(refused() == refusal::thread_exists);
  CAF_CHECK_EQUAL(changes(), 0u);
  load();
  CAF_CHECK_EQUAL(orders(), 1u);
}

CAF_TEST(a new thread is made where nothing is) {
  start();
  import_here();
  fork_here();
  CAF_CHECK_EQUAL(told(), 0u);
  CAF_REQUIRE_EQUAL(changes(), 2u);
  say("hi");
  changed();
  changed();
  load(messages_of(R"([{"role":"user","content":"imported"}])"));
  CAF_CHECK_EQUAL(order().prompt.size(), 2u);
}

CAF_TEST(deleting what is old leaves a busy thread alone) {
  start();
  const auto id = say("one", {}, first.actor);
  erase(1000);
  load();
  erase(1000);
  say("two", {}, second.actor);
  erase(1000);
  CAF_CHECK_EQUAL(changes(), 0u);
  CAF_REQUIRE_EQUAL(told(), 3u);
  for (const auto& x : store_client->all<store_answer>())
    CAF_CHECK(std::holds_alternative<std::monostate>(std::get<change_result>(x.result)));
  complete(id, "1");
  stored(id);
  CAF_CHECK_EQUAL(first.answers(), 1u);
  CAF_CHECK_EQUAL(orders(), 2u);
}

CAF_TEST(deleting what is old goes on where nothing happens) {
  start_loaded();
  erase(1000);
  CAF_REQUIRE_EQUAL(changes(), 1u);
  CAF_CHECK_EQUAL(std::get<delete_thread>(journal->last<change_thread>().change).updated_before,
                  1000);
}

CAF_TEST(a change for which nobody waits is made or dropped in silence) {
  start_loaded();
  send(aut, change_thread{key, delete_thread{key, 1000}});
  CAF_CHECK_EQUAL(changes(), 1u);
  changed();
  say("one");
  send(aut, change_thread{key, delete_thread{key, 1000}});
  CAF_CHECK_EQUAL(changes(), 1u);
}

CAF_TEST(a change that finds the journal busy is refused and ends nothing) {
  start_loaded();
  const auto id = say("one", {}, first.actor);
  auto full = fill_queue();
  erase();
  CAF_REQUIRE_EQUAL(told(), 1u);
  const auto& why = std::get<failure>(store_client->last<store_answer>().result);
  CAF_CHECK(why.kind == error_kind::storage_unavailable);
  CAF_CHECK(!why.retry_after.empty());
  CAF_CHECK_EQUAL(changes() + pool->count<order_cancelled>(), 0u);
  full.reset();
  complete(id, "1");
  stored(id);
  CAF_CHECK_EQUAL(first.answers(), 1u);
}

CAF_TEST(a change keeps the token that says that its conversation is busy) {
  start_loaded();
  auto token = std::make_shared<int>();
  change_thread x{key, delete_thread{key}, asking_actor};
  x.in_conversation = token;
  send(aut, std::move(x));
  CAF_CHECK(journal->last<change_thread>().in_conversation == token);
  journal->all<change_thread>().clear();
  CAF_CHECK_EQUAL(token.use_count(), 1);
}

CAF_TEST(a deletion has usage counted once) {
  std::vector<usage_row> noted;
  const auto account = std::make_shared<ledger>(
      "tenant", [&](usage_row x) { noted.push_back(std::move(x)); }, [] { return moment{}; });
  start_loaded();
  const auto begin = [&] {
    auto x = make_turn(R"([{"role":"user","content":"hi"}])");
    auto held = std::get<reservation_ptr>(account->reserve({"k", "m", {}, false, 0}));
    held->meter().attempt_begins(7);
    x->meter = {held, &held->meter()};
    x->in_flight = std::move(held);
    const auto id = x->id;
    send(aut, std::move(x));
    return id;
  };
  const auto stored_with_usage = begin();
  complete(stored_with_usage, "on its way to the store");
  CAF_CHECK(journal->last<store_turn>().turn.usage);
  pool->all<order_ptr>().clear();
  erase();
  CAF_CHECK(noted.empty());
  changed();
  begin();
  load();
  pool->all<order_ptr>().clear(); // it fails
  sched.run();
  CAF_CHECK_EQUAL(noted.size(), 1u); // this one never came to the store
  CAF_CHECK_EQUAL(account->turns(), 0u);
}

CAF_TEST_FIXTURE_SCOPE_END()
