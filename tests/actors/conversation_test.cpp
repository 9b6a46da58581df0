#define CAF_SUITE conversation
#include "tests/actors/conversation_fixture.hpp"

using namespace lang_agent;
using namespace lang_agent::test;
using namespace std::chrono_literals;

CAF_TEST_FIXTURE_SCOPE(conversation_tests, conversation_fixture)

CAF_TEST(the first turn waits until the thread is loaded) {
  start();
  say("hi");
  CAF_CHECK_EQUAL(journal->count<load_thread>(), 1u);
  CAF_CHECK_EQUAL(orders(), 0u);
  load(messages_of(R"([{"role":"user","content":"old"},{"role":"assistant","content":"reply"}])"));
  CAF_REQUIRE_EQUAL(orders(), 1u);
  CAF_CHECK_EQUAL(order().prompt.size(), 3u);
}

CAF_TEST(an order has the share of its turn) {
  start_loaded();
  auto x = make_turn(R"([{"role":"user","content":"hi"}])");
  const auto share = x->share = std::make_shared<const queue_share>();
  send(aut, std::move(x));
  CAF_REQUIRE_EQUAL(orders(), 1u);
  CAF_CHECK(order().share == share);
}

CAF_TEST(an answer is told to the requester only after it is stored) {
  start();
  const auto id = say("hi");
  load();
  complete(id, "hello");
  CAF_REQUIRE_EQUAL(stores(), 1u);
  CAF_CHECK_EQUAL(record().messages.size(), 2u);
  CAF_CHECK_EQUAL(requester->count<turn_committed>(), 0u);
  stored(id);
  CAF_CHECK_EQUAL(requester->count<turn_committed>(), 1u);
}

CAF_TEST(one turn runs at a time and the others follow in order of arrival) {
  start();
  const auto first = say("one");
  load();
  const auto second = say("two");
  say("three");
  CAF_CHECK_EQUAL(orders(), 1u);
  complete(first, "1");
  stored(first);
  CAF_REQUIRE_EQUAL(orders(), 2u);
  CAF_CHECK(asks_for("two"));
  CAF_CHECK_EQUAL(order().prompt.size(), 3u);
  complete(second, "2");
  stored(second);
  CAF_CHECK(asks_for("three"));
  CAF_CHECK_EQUAL(order().prompt.size(), 5u);
}

CAF_TEST(a failed turn leaves no trace) {
  start();
  const auto id = say("bad");
  load();
  fail(id);
  CAF_CHECK_EQUAL(requester->count<turn_failed>(), 1u);
  CAF_CHECK_EQUAL(stores(), 0u);
  say("good");
  CAF_CHECK_EQUAL(order().prompt.size(), 1u);
}

CAF_TEST(a turn that could not be stored is failed and leaves no trace) {
  start();
  const auto id = say("hi");
  load();
  complete(id, "hello");
  not_stored(id, disk_full());
  CAF_CHECK_EQUAL(requester->count<turn_committed>(), 0u);
  CAF_CHECK(requester->last<turn_failed>().why.kind == error_kind::storage_unavailable);
  say("again");
  load(); // what was there may have changed
  CAF_CHECK_EQUAL(order().prompt.size(), 1u);
}

CAF_TEST(a thread that cannot be loaded fails its turns and is tried again) {
  start();
  say("one");
  say("two");
  send(aut, thread_loaded{{}, std::make_shared<failure>(disk_full())});
  CAF_CHECK_EQUAL(requester->count<turn_failed>(), 2u);
  say("three");
  CAF_CHECK_EQUAL(journal->count<load_thread>(), 2u);
}

CAF_TEST(cancelling the running turn cancels its order and starts the next) {
  start();
  const auto first = say("one");
  load();
  say("two");
  cancel(first);
  CAF_REQUIRE_EQUAL(pool->count<order_cancelled>(), 1u);
  CAF_CHECK_EQUAL(pool->last<order_cancelled>().id, first);
  CAF_CHECK_EQUAL(orders(), 2u);
  // The request stays until it hears of the end.
  CAF_REQUIRE_EQUAL(requester->count<turn_failed>(), 1u);
  CAF_CHECK(requester->last<turn_failed>().why.kind == error_kind::client_gone);
  // A late answer of the cancelled turn changes nothing.
  send(aut, order_completed{first, std::make_shared<answer>(answer_of("late"))});
  CAF_CHECK_EQUAL(stores(), 0u);
}

CAF_TEST(a cancelled turn that waits never runs) {
  start();
  const auto first = say("one");
  load();
  const auto second = say("two");
  cancel(second);
  CAF_REQUIRE_EQUAL(requester->count<turn_failed>(), 1u);
  CAF_CHECK(requester->last<turn_failed>().why.kind == error_kind::client_gone);
  complete(first, "1");
  stored(first);
  CAF_CHECK_EQUAL(orders(), 1u);
}

CAF_TEST(a turn that is being stored can no longer be cancelled) {
  start();
  const auto id = say("hi");
  load();
  complete(id, "hello");
  cancel(id);
  stored(id);
  CAF_CHECK_EQUAL(requester->count<turn_committed>(), 1u);
}

CAF_TEST(the queue of waiting turns has a bound) {
  options.max_waiting = 2;
  start();
  say("runs");
  load();
  say("waits");
  say("waits too");
  CAF_CHECK_EQUAL(requester->count<turn_failed>(), 0u);
  say("too many");
  CAF_REQUIRE_EQUAL(requester->count<turn_failed>(), 1u);
  const auto& why = requester->last<turn_failed>().why;
  CAF_CHECK(why.kind == error_kind::thread_queue_full);
  CAF_CHECK_EQUAL(why.http_status(), 429);
  CAF_CHECK(!why.retry_after.empty());
}

CAF_TEST(a turn that waits too long is failed) {
  options.wait_timeout = 5s;
  start();
  say("runs");
  load();
  say("waits");
  for (int i = 0; i < 4; ++i)
    pass(1s);
  CAF_CHECK_EQUAL(requester->count<turn_failed>(), 0u);
  pass(1s);
  CAF_REQUIRE_EQUAL(requester->count<turn_failed>(), 1u);
  CAF_CHECK(requester->last<turn_failed>().why.kind == error_kind::queue_timeout);
}

CAF_TEST(a thread that rejects when busy says so) {
  options.on_busy = busy_policy::reject;
  start();
  const auto first = say("one");
  load();
  say("two");
  CAF_REQUIRE_EQUAL(requester->count<turn_failed>(), 1u);
  CAF_CHECK(requester->last<turn_failed>().why.kind == error_kind::thread_busy);
  complete(first, "1");
  stored(first);
  say("three");
  CAF_CHECK_EQUAL(orders(), 2u);
}

CAF_TEST(instructions are replaced and never pile up) {
  start();
  const auto first =
      ask(R"([{"role":"system","content":"be brief"},{"role":"user","content":"one"}])");
  load();
  complete(first, "1");
  stored(first);
  const auto second = say("two");
  CAF_CHECK(asks_for("be brief"));
  complete(second, "2");
  stored(second);
  ask(R"([{"role":"developer","content":"be long"},{"role":"user","content":"three"}])");
  CAF_CHECK(!asks_for("be brief"));
  CAF_CHECK(order().prompt.front()->json.find("be long") != std::string::npos);
  CAF_CHECK_EQUAL(order().prompt.size(), 6u);
}

CAF_TEST(a client that edits an earlier message supersedes what followed it) {
  start();
  const auto first = say("one");
  load();
  complete(first, "1");
  stored(first);
  talk("two", "2");
  ask(R"([{"role":"user","content":"one"},{"role":"assistant","content":"1"},
          {"role":"user","content":"two, edited"}])");
  const auto id = order().id;
  CAF_CHECK_EQUAL(order().prompt.size(), 3u);
  complete(id, "2, edited");
  CAF_CHECK_EQUAL(record().keep, 2u);
  CAF_CHECK_EQUAL(record().messages.size(), 2u);
}

CAF_TEST(a tool message that answers no call is the mistake of its request alone) {
  start();
  ask(R"([{"role":"tool","tool_call_id":"call_9","content":"42"}])");
  load();
  CAF_REQUIRE_EQUAL(requester->count<turn_failed>(), 1u);
  CAF_CHECK_EQUAL(requester->last<turn_failed>().why.http_status(), 400);
  CAF_CHECK_EQUAL(requester->last<turn_failed>().why.param, "messages");
  say("hello");
  CAF_CHECK_EQUAL(orders(), 1u);
}

CAF_TEST(a stateless turn neither loads nor stores and its actor ends) {
  start(true);
  self->monitor(aut);
  const auto id = say("hi");
  complete(id, "hello");
  CAF_CHECK_EQUAL(requester->count<turn_committed>(), 1u);
  CAF_CHECK_EQUAL(journal->count<load_thread>() + stores(), 0u);
  expect((caf::down_msg), to(self).with(_));
}

CAF_TEST(a conversation that dies tells all its requesters) {
  start();
  say("one");
  load();
  say("two");
  say("three");
  kill(aut);
  CAF_CHECK_EQUAL(requester->count<turn_failed>(), 3u);
  CAF_CHECK(requester->last<turn_failed>().why.kind == error_kind::internal);
}

CAF_TEST(a conversation that is ended tells its requesters that the server stops) {
  start();
  say("one");
  load();
  say("two");
  caf::anon_send_exit(aut, caf::exit_reason::user_shutdown);
  sched.run();
  CAF_REQUIRE_EQUAL(requester->count<turn_failed>(), 2u);
  for (const auto& x : requester->all<turn_failed>())
    CAF_CHECK(x.why.kind == error_kind::shutting_down);
}

CAF_TEST(turns are stored on the version that was loaded and each makes a new one) {
  start();
  const auto first = say("one");
  load();
  complete(first, "1");
  CAF_CHECK_EQUAL(record().version, 1u);
  stored(first);
  const auto second = say("two");
  complete(second, "2");
  CAF_CHECK_EQUAL(record().version, 2u);
  CAF_CHECK_EQUAL(record().keep, 2u);
  CAF_CHECK(record().key == key);
  CAF_CHECK_GREATER(record().at, 0);
}

CAF_TEST_FIXTURE_SCOPE_END()
