#define CAF_SUITE conversation
#include "tests/actors/fixture.hpp"

#include "actors/conversation.hpp"

using namespace lang_agent;
using namespace lang_agent::test;
using namespace std::chrono_literals;

namespace {

struct conversation_fixture : fixture {
  std::shared_ptr<request_inbox> requester = std::make_shared<request_inbox>();
  std::shared_ptr<pool_inbox> pool = std::make_shared<pool_inbox>();
  std::shared_ptr<journal_inbox> journal = std::make_shared<journal_inbox>();
  request_actor requester_actor = request_probe(requester);
  conversation_options options;
  conversation_actor aut;

  /// Spawns the actor under test; its thread is not loaded yet.
  void start(bool stateless = false) {
    aut = adopt(spawn_conversation(sys, {"tenant", "thread"}, stateless, options, pool_probe(pool),
                                   journal_probe(journal)));
  }

  void load(message_list history = {}, message_list instructions = {}) {
    send(aut, thread_loaded{std::move(instructions), std::move(history), nullptr});
  }

  /// Asks for a turn with these messages; returns its id.
  turn_id ask(const std::string& messages) {
    auto x = std::make_shared<turn>(requester_actor);
    x->key = {"tenant", "thread"};
    x->arrived = sched.clock().now();
    for (auto& m : messages_of(messages))
      (m->is_instruction() ? x->instructions : x->messages).push_back(m);
    const auto id = x->id;
    send(aut, std::move(x));
    return id;
  }

  turn_id say(const std::string& text) {
    return ask(R"([{"role":"user","content":")" + text + R"("}])");
  }

  std::string prompt() {
    std::string out;
    for (const auto& x : pool->last<order_ptr>()->prompt)
      out += x->json + "\n";
    return out;
  }

  /// The pool's side of a turn. The order stays with the probe; it is settled here.
  void complete(turn_id id, const std::string& text) {
    pool->last<order_ptr>()->forget();
    send(aut, order_completed{id, std::make_shared<answer>(answer_of(text))});
  }

  void fail(turn_id id) {
    pool->last<order_ptr>()->forget();
    send(aut, order_failed{id, {error_kind::upstream_error, "broken"}});
  }

  void stored(turn_id id) {
    send(aut, turn_stored{id, nullptr});
  }

  /// One whole turn.
  void talk(const std::string& text, const std::string& reply) {
    const auto id = say(text);
    complete(id, reply);
    stored(id);
  }

  ~conversation_fixture() {
    for (auto& order : pool->all<order_ptr>())
      if (order)
        order->forget();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(conversation_tests, conversation_fixture)

CAF_TEST(the first turn waits until the thread is loaded) {
  start();
  say("hi");
  CAF_CHECK_EQUAL(journal->count<load_thread>(), 1u);
  CAF_CHECK_EQUAL(pool->count<order_ptr>(), 0u);
  load(messages_of(R"([{"role":"user","content":"old"},{"role":"assistant","content":"reply"}])"));
  CAF_REQUIRE_EQUAL(pool->count<order_ptr>(), 1u);
  CAF_CHECK_EQUAL(pool->last<order_ptr>()->prompt.size(), 3u);
}

CAF_TEST(an answer is told to the requester only after it is stored) {
  start();
  const auto id = say("hi");
  load();
  complete(id, "hello");
  CAF_REQUIRE_EQUAL(journal->count<store_turn>(), 1u);
  CAF_CHECK_EQUAL(journal->last<store_turn>().messages.size(), 2u);
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
  CAF_CHECK_EQUAL(pool->count<order_ptr>(), 1u);
  complete(first, "1");
  stored(first);
  CAF_REQUIRE_EQUAL(pool->count<order_ptr>(), 2u);
  CAF_CHECK(prompt().find("two") != std::string::npos);
  CAF_CHECK_EQUAL(pool->last<order_ptr>()->prompt.size(), 3u);
  complete(second, "2");
  stored(second);
  CAF_CHECK(prompt().find("three") != std::string::npos);
  CAF_CHECK_EQUAL(pool->last<order_ptr>()->prompt.size(), 5u);
}

CAF_TEST(a failed turn leaves no trace) {
  start();
  const auto id = say("bad");
  load();
  fail(id);
  CAF_CHECK_EQUAL(requester->count<turn_failed>(), 1u);
  CAF_CHECK_EQUAL(journal->count<store_turn>(), 0u);
  say("good");
  CAF_CHECK_EQUAL(pool->last<order_ptr>()->prompt.size(), 1u);
}

CAF_TEST(a turn that could not be stored is failed and leaves no trace) {
  start();
  const auto id = say("hi");
  load();
  complete(id, "hello");
  send(aut, turn_stored{id, std::make_shared<failure>(
                                failure{error_kind::storage_unavailable, "disk full"})});
  CAF_CHECK_EQUAL(requester->count<turn_committed>(), 0u);
  CAF_CHECK(requester->last<turn_failed>().why.kind == error_kind::storage_unavailable);
  say("again");
  CAF_CHECK_EQUAL(pool->last<order_ptr>()->prompt.size(), 1u);
}

CAF_TEST(a thread that cannot be loaded fails its turns and is tried again) {
  start();
  say("one");
  say("two");
  send(aut,
       thread_loaded{
           {}, {}, std::make_shared<failure>(failure{error_kind::storage_unavailable, "no disk"})});
  CAF_CHECK_EQUAL(requester->count<turn_failed>(), 2u);
  say("three");
  CAF_CHECK_EQUAL(journal->count<load_thread>(), 2u);
}

CAF_TEST(cancelling the running turn cancels its order and starts the next) {
  start();
  const auto first = say("one");
  load();
  say("two");
  send(aut, turn_cancelled{{"tenant", "thread"}, first});
  CAF_REQUIRE_EQUAL(pool->count<order_cancelled>(), 1u);
  CAF_CHECK_EQUAL(pool->last<order_cancelled>().id, first);
  CAF_CHECK_EQUAL(pool->count<order_ptr>(), 2u);
  CAF_CHECK_EQUAL(requester->count<turn_failed>(), 0u);
  // A late answer of the cancelled turn changes nothing.
  send(aut, order_completed{first, std::make_shared<answer>(answer_of("late"))});
  CAF_CHECK_EQUAL(journal->count<store_turn>(), 0u);
}

CAF_TEST(a cancelled turn that waits never runs) {
  start();
  const auto first = say("one");
  load();
  const auto second = say("two");
  send(aut, turn_cancelled{{"tenant", "thread"}, second});
  complete(first, "1");
  stored(first);
  CAF_CHECK_EQUAL(pool->count<order_ptr>(), 1u);
}

CAF_TEST(a turn that is being stored can no longer be cancelled) {
  start();
  const auto id = say("hi");
  load();
  complete(id, "hello");
  send(aut, turn_cancelled{{"tenant", "thread"}, id});
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
  CAF_CHECK_EQUAL(pool->count<order_ptr>(), 2u);
}

CAF_TEST(instructions are replaced and never pile up) {
  start();
  const auto first =
      ask(R"([{"role":"system","content":"be brief"},{"role":"user","content":"one"}])");
  load();
  complete(first, "1");
  stored(first);
  const auto second = say("two");
  CAF_CHECK(prompt().find("be brief") != std::string::npos);
  complete(second, "2");
  stored(second);
  ask(R"([{"role":"developer","content":"be long"},{"role":"user","content":"three"}])");
  CAF_CHECK(prompt().find("be brief") == std::string::npos);
  CAF_CHECK(pool->last<order_ptr>()->prompt.front()->json.find("be long") != std::string::npos);
  CAF_CHECK_EQUAL(pool->last<order_ptr>()->prompt.size(), 6u);
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
  const auto id = pool->last<order_ptr>()->id;
  CAF_CHECK_EQUAL(pool->last<order_ptr>()->prompt.size(), 3u);
  complete(id, "2, edited");
  CAF_CHECK_EQUAL(journal->last<store_turn>().keep, 2u);
  CAF_CHECK_EQUAL(journal->last<store_turn>().messages.size(), 2u);
}

CAF_TEST(a tool message that answers no call is the mistake of its request alone) {
  start();
  ask(R"([{"role":"tool","tool_call_id":"call_9","content":"42"}])");
  load();
  CAF_REQUIRE_EQUAL(requester->count<turn_failed>(), 1u);
  CAF_CHECK_EQUAL(requester->last<turn_failed>().why.http_status(), 400);
  CAF_CHECK_EQUAL(requester->last<turn_failed>().why.param, "messages");
  say("hello");
  CAF_CHECK_EQUAL(pool->count<order_ptr>(), 1u);
}

CAF_TEST(a stateless turn neither loads nor stores and its actor ends) {
  start(true);
  self->monitor(aut);
  const auto id = say("hi");
  complete(id, "hello");
  CAF_CHECK_EQUAL(requester->count<turn_committed>(), 1u);
  CAF_CHECK_EQUAL(journal->count<load_thread>() + journal->count<store_turn>(), 0u);
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

CAF_TEST_FIXTURE_SCOPE_END()
