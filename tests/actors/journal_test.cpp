#define CAF_SUITE journal
#include "tests/actors/journal_fixture.hpp"

using namespace lang_agent;
using namespace lang_agent::test;
using namespace std::chrono_literals;

CAF_TEST_FIXTURE_SCOPE(journal_tests, journal_fixture)

CAF_TEST(what was stored is loaded again) {
  start();
  send(aut, turn(1, "thread"));
  CAF_REQUIRE_EQUAL(inbox->count<turn_stored>(), 1u);
  CAF_CHECK_EQUAL(inbox->last<turn_stored>().id, 1u);
  CAF_CHECK(!inbox->last<turn_stored>().why);
  send(aut, load_thread{key, {}, conversation});
  CAF_REQUIRE_EQUAL(inbox->count<thread_loaded>(), 1u);
  CAF_CHECK_EQUAL(inbox->last<thread_loaded>().record.history.size(), 2u);
  CAF_CHECK_EQUAL(inbox->last<thread_loaded>().record.version, 1u);
}

CAF_TEST(a thread is loaded within limits) {
  start();
  send(aut, turn(1, "thread"));
  auto second = turn(2, "thread", 1);
  second.turn.keep = 2;
  send(aut, std::move(second));
  send(aut, load_thread{key, {2, 0}, conversation});
  CAF_CHECK_EQUAL(inbox->last<thread_loaded>().record.history.size(), 2u);
  CAF_CHECK_EQUAL(inbox->last<thread_loaded>().record.skipped, 2u);
}

CAF_TEST(an unknown thread is an empty one) {
  start();
  send(aut, load_thread{key, {}, conversation});
  CAF_CHECK(!inbox->last<thread_loaded>().why);
  CAF_CHECK_EQUAL(inbox->last<thread_loaded>().record.version, 0u);
}

CAF_TEST(the answer of an earlier turn is found) {
  start();
  auto x = turn(1, "thread");
  x.turn.request = {1, 2};
  x.turn.idempotency_key = "k";
  x.turn.answer = "{}";
  send(aut, std::move(x));
  send(aut, find_answer{7, {key, {1, 2}, "k", 0}, conversation});
  CAF_REQUIRE_EQUAL(inbox->count<answer_found>(), 1u);
  CAF_CHECK_EQUAL(inbox->last<answer_found>().id, 7u);
  CAF_CHECK_EQUAL(inbox->last<answer_found>().result.answer, "{}");
  send(aut, find_answer{8, {key, {3, 4}, "k", 0}, conversation});
  CAF_CHECK(inbox->last<answer_found>().result.conflict);
  send(aut, find_answer{9, {key, {3, 4}, "", 0}, conversation});
  CAF_CHECK(inbox->last<answer_found>().result.answer.empty());
  CAF_CHECK(!inbox->last<answer_found>().result.conflict);
}

CAF_TEST(questions for the thread API are answered) {
  start();
  CAF_CHECK(!exists("thread"));
  send(aut, turn(1, "thread"));
  CAF_CHECK(exists("thread"));
}

CAF_TEST(a change through a conversation is told to it first and to its client) {
  start();
  send(aut, turn(1, "thread"));
  send(aut, change_thread{key, delete_thread{key}, client_actor, conversation});
  CAF_CHECK_EQUAL(inbox->count<thread_changed>(), 1u);
  CAF_REQUIRE_EQUAL(client->count<store_answer>(), 1u);
  CAF_CHECK(std::holds_alternative<std::monostate>(
      std::get<change_result>(client->last<store_answer>().result)));
  CAF_CHECK(!exists("thread"));
}

CAF_TEST(a change for which nobody waits is made) {
  start();
  send(aut, turn(1, "thread"));
  send(aut, change_thread{key, delete_thread{key}});
  CAF_CHECK(!exists("thread"));
}

CAF_TEST(a store that fails is reported and the journal goes on) {
  start();
  control->broken = true;
  send(aut, turn(1));
  send(aut, load_thread{key, {}, conversation});
  send(aut, find_answer{7, {key}, conversation});
  send(aut, ask_store{find_thread{key}, client_actor});
  send(aut, change_thread{key, delete_thread{key}, client_actor, conversation});
  CAF_REQUIRE(inbox->last<turn_stored>().why);
  CAF_REQUIRE(inbox->last<thread_loaded>().why);
  CAF_REQUIRE(inbox->last<answer_found>().why);
  CAF_REQUIRE_EQUAL(client->count<store_answer>(), 2u);
  CAF_CHECK_EQUAL(inbox->count<thread_changed>(), 1u);
  for (const auto& why :
       {*inbox->last<turn_stored>().why, *inbox->last<thread_loaded>().why,
        *inbox->last<answer_found>().why, std::get<failure>(client->all<store_answer>()[0].result),
        std::get<failure>(client->all<store_answer>()[1].result)}) {
    CAF_CHECK(why.kind == error_kind::storage_unavailable);
    CAF_CHECK(!why.retry_after.empty());
    CAF_CHECK(why.message.find("secret") == std::string::npos);
  }
  control->broken = false;
  send(aut, turn(2));
  CAF_CHECK(!stored(2).why);
}

CAF_TEST(the gate bounds the queue and a message that dies frees its place) {
  const auto gate = std::make_shared<journal_gate>(10'000);
  start();
  const journal_port port{aut, gate};
  CAF_CHECK(!gate->is_full());
  CAF_CHECK(port.send(turn(1), 6'000));
  CAF_CHECK(!gate->is_full());
  CAF_CHECK(port.send(turn(2), 6'000));
  CAF_CHECK(gate->is_full());
  CAF_CHECK(port.is_full());
  CAF_CHECK(!port.send(turn(3), 1));
  CAF_CHECK(!port.send(load_thread{key, {}, conversation}));
  port.send_always(change_thread{{}, discard_import{"x"}});
  sched.run();
  CAF_CHECK_EQUAL(inbox->count<turn_stored>(), 2u);
  CAF_CHECK_EQUAL(inbox->count<thread_loaded>(), 0u);
  CAF_CHECK(!gate->is_full());
  CAF_CHECK(port.send(turn(4), 1));
  sched.run();
  CAF_CHECK(!stored(4).why);
}

CAF_TEST(an empty queue takes anything) {
  const auto gate = std::make_shared<journal_gate>(10);
  auto place = gate->try_enter(1'000'000);
  CAF_CHECK(place);
  CAF_CHECK(!gate->try_enter(0));
  place.reset();
  CAF_CHECK(gate->try_enter(0));
}

CAF_TEST(a message to a journal that is gone frees its place) {
  const auto gate = std::make_shared<journal_gate>(10);
  start();
  kill(aut);
  const journal_port port{aut, gate};
  CAF_CHECK(port.send(turn(1)));
  sched.run();
  CAF_CHECK(!gate->is_full());
}

CAF_TEST(a change keeps its conversation in memory until it is made) {
  start();
  auto token = std::make_shared<int>();
  change_thread x{key, delete_thread{key}, {}, conversation};
  x.in_conversation = token;
  queue(std::move(x));
  CAF_CHECK_EQUAL(token.use_count(), 2);
  sched.run_once();
  CAF_CHECK_EQUAL(token.use_count(), 2);
  sched.run();
  CAF_CHECK_EQUAL(token.use_count(), 1);
}

CAF_TEST_FIXTURE_SCOPE_END()
