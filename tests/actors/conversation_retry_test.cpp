#define CAF_SUITE conversation_retry
#include "tests/actors/conversation_fixture.hpp"

using namespace lang_agent;
using namespace lang_agent::test;
using namespace std::chrono_literals;

namespace {

const retry_marks sdk_retry{"", true};

struct retry_fixture : conversation_fixture {
  client first = new_client();
  client second = new_client();

  /// The first client's turn is running.
  turn_id run(const retry_marks& marks = {}) {
    start_loaded();
    const auto id = say("hi", marks, first.actor);
    if (!marks.key.empty() || marks.is_retry)
      found(id);
    CAF_REQUIRE_EQUAL(orders(), 1u);
    return id;
  }

  void finish(turn_id id, const std::string& text) {
    complete(id, text);
    stored(id);
  }

  static bool is_replay_of(const client& x, const std::string& text) {
    return x.inbox->count<turn_replayed>() == 1
           && x.inbox->last<turn_replayed>().json->find(text) != std::string::npos;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(conversation_retry_tests, retry_fixture)

CAF_TEST(a retry by an SDK joins the running turn) {
  const auto id = run();
  say("hi", sdk_retry, second.actor);
  CAF_CHECK_EQUAL(orders(), 1u);
  CAF_CHECK_EQUAL(journal->count<find_answer>(), 0u);
  finish(id, "hello");
  CAF_CHECK_EQUAL(first.inbox->count<turn_committed>(), 1u);
  CAF_CHECK(is_replay_of(second, "hello"));
  CAF_CHECK(*first.inbox->last<turn_committed>().json == *second.inbox->last<turn_replayed>().json);
  CAF_CHECK_EQUAL(orders(), 1u);
  CAF_CHECK_EQUAL(stores(), 1u);
}

CAF_TEST(a retry joins a waiting turn) {
  const auto id = run();
  const auto waiting = say("more", {"", false, 2}, first.actor);
  say("more", {"", true, 2}, second.actor);
  finish(id, "hello");
  CAF_CHECK_EQUAL(orders(), 2u);
  CAF_CHECK_EQUAL(order().id, waiting);
  finish(waiting, "well");
  CAF_CHECK_EQUAL(first.answers(), 2u);
  CAF_CHECK(is_replay_of(second, "well"));
  CAF_CHECK_EQUAL(orders(), 2u);
}

CAF_TEST(a retry joins a turn whose thread is loading) {
  start();
  const auto id = say("hi", {}, first.actor);
  say("hi", sdk_retry, second.actor);
  load();
  CAF_CHECK_EQUAL(orders(), 1u);
  finish(id, "hello");
  CAF_CHECK_EQUAL(first.answers(), 1u);
  CAF_CHECK(is_replay_of(second, "hello"));
}

CAF_TEST(a retry joins a turn that is being stored) {
  const auto id = run();
  complete(id, "hello");
  say("hi", sdk_retry, second.actor);
  stored(id);
  CAF_CHECK(is_replay_of(second, "hello"));
  CAF_CHECK_EQUAL(orders(), 1u);
}

CAF_TEST(the same key joins without further marks) {
  const auto id = run({"key"});
  say("hi", {"key"}, second.actor);
  finish(id, "hello");
  CAF_CHECK(is_replay_of(second, "hello"));
  CAF_CHECK_EQUAL(orders(), 1u);
}

CAF_TEST(a turn that is being looked up is joined too) {
  start_loaded();
  const auto id = say("hi", {"key"}, first.actor);
  say("hi", {"key"}, second.actor);
  CAF_CHECK_EQUAL(journal->count<find_answer>(), 1u);
  found(id, {"{}", false});
  CAF_CHECK_EQUAL(first.inbox->count<turn_replayed>(), 1u);
  CAF_CHECK_EQUAL(second.inbox->count<turn_replayed>(), 1u);
  CAF_CHECK_EQUAL(orders(), 0u);
}

CAF_TEST(a retry needs the same body) {
  const auto id = run();
  say("other", {"", true, 2}, second.actor);
  CAF_CHECK_EQUAL(second.inbox->count<turn_failed>(), 0u);
  finish(id, "hello");
  CAF_CHECK_EQUAL(second.answers(), 0u);
  CAF_CHECK_EQUAL(journal->count<find_answer>(), 1u);
}

CAF_TEST(the same body alone is no retry) {
  const auto id = run();
  const auto again = say("hi", {}, second.actor);
  finish(id, "hello");
  CAF_CHECK_EQUAL(second.answers(), 0u);
  CAF_CHECK_EQUAL(orders(), 2u);
  CAF_CHECK_EQUAL(order().id, again);
}

CAF_TEST(the same body with another key is another request) {
  const auto id = run({"key"});
  const auto other = say("hi", {"another key", true}, second.actor);
  finish(id, "hello");
  CAF_CHECK_EQUAL(second.answers(), 0u);
  found(other);
  CAF_CHECK_EQUAL(order().id, other);
}

CAF_TEST(the same key with another body is a conflict) {
  const auto id = run({"key"});
  say("other", {"key", false, 2}, second.actor);
  CAF_REQUIRE_EQUAL(second.inbox->count<turn_failed>(), 1u);
  CAF_CHECK(second.why().kind == error_kind::idempotency_key_conflict);
  CAF_CHECK_EQUAL(second.why().http_status(), 409);
  finish(id, "hello");
  CAF_CHECK_EQUAL(first.answers(), 1u);
}

CAF_TEST(a retry after the end asks the journal and is answered as before) {
  run();
  finish(order().id, "hello");
  const auto id = say("hi", {"key", true, 5}, second.actor);
  CAF_REQUIRE_EQUAL(journal->count<find_answer>(), 1u);
  const auto& asked = journal->last<find_answer>();
  CAF_CHECK_EQUAL(asked.id, id);
  CAF_CHECK(asked.query.key == key);
  CAF_CHECK(asked.query.request == (digest{5, 5}));
  CAF_CHECK_EQUAL(asked.query.idempotency_key, "key");
  const auto age = unix_now() - asked.query.since;
  CAF_CHECK(age >= 600'000 && age < 660'000);
  CAF_CHECK_EQUAL(orders(), 1u);
  found(id, {"{\"earlier\":1}", false});
  CAF_CHECK(is_replay_of(second, "earlier"));
  CAF_CHECK_EQUAL(orders(), 1u);
  CAF_CHECK_EQUAL(stores(), 1u);
  // The thread goes on.
  say("next");
  CAF_CHECK_EQUAL(orders(), 2u);
  CAF_CHECK_EQUAL(order().prompt.size(), 3u);
}

CAF_TEST(a retry without an earlier answer is a turn) {
  start_loaded();
  const auto id = say("hi", sdk_retry, second.actor);
  CAF_CHECK_EQUAL(orders(), 0u);
  found(id);
  CAF_CHECK_EQUAL(orders(), 1u);
  finish(id, "hello");
  CAF_CHECK_EQUAL(second.inbox->count<turn_committed>(), 1u);
}

CAF_TEST(a key that the journal knows from another request is a conflict) {
  start_loaded();
  const auto id = say("hi", {"key"}, second.actor);
  found(id, {"", true});
  CAF_CHECK(second.why().kind == error_kind::idempotency_key_conflict);
  CAF_CHECK_EQUAL(orders(), 0u);
}

CAF_TEST(a lookup that fails fails its turn alone) {
  start_loaded();
  const auto id = say("hi", {"key"}, first.actor);
  say("next", {}, second.actor);
  send(aut, answer_found{id, {}, std::make_shared<failure>(disk_full())});
  CAF_CHECK(first.why().kind == error_kind::storage_unavailable);
  CAF_CHECK_EQUAL(orders(), 1u);
  CAF_CHECK(asks_for("next"));
}

CAF_TEST(a lookup of a turn that is over changes nothing) {
  start_loaded();
  const auto id = say("hi", {"key"}, first.actor);
  cancel(id);
  CAF_CHECK(first.why().kind == error_kind::client_gone);
  say("next", {}, second.actor);
  found(id, {"{}", false});
  CAF_CHECK_EQUAL(first.answers() + second.answers(), 0u);
  CAF_CHECK_EQUAL(orders(), 1u);
}

CAF_TEST(the turn goes on for a retry when its first client leaves) {
  const auto id = run();
  say("hi", sdk_retry, second.actor);
  cancel(id);
  CAF_CHECK_EQUAL(pool->count<order_cancelled>(), 0u);
  CAF_CHECK_EQUAL(first.inbox->count<turn_failed>(), 0u); // it takes the deltas
  finish(id, "hello");
  CAF_CHECK(is_replay_of(second, "hello"));
  CAF_CHECK_EQUAL(orders(), 1u);
}

CAF_TEST(a failing turn fails its retries too) {
  const auto id = run();
  say("hi", sdk_retry, second.actor);
  cancel(id);
  fail(id);
  CAF_CHECK(first.why().kind == error_kind::client_gone);
  CAF_CHECK(second.why().kind == error_kind::upstream_error);
}

CAF_TEST(when all have left the order is cancelled) {
  const auto id = run();
  const auto retry = say("hi", sdk_retry, second.actor);
  cancel(id);
  CAF_CHECK_EQUAL(pool->count<order_cancelled>(), 0u);
  cancel(retry);
  CAF_REQUIRE_EQUAL(pool->count<order_cancelled>(), 1u);
  CAF_CHECK_EQUAL(pool->last<order_cancelled>().id, id);
  CAF_CHECK(first.why().kind == error_kind::client_gone);
  CAF_CHECK(second.why().kind == error_kind::client_gone);
  say("next");
  CAF_CHECK_EQUAL(orders(), 2u);
}

CAF_TEST(a retry that leaves ends nothing) {
  const auto id = run();
  const auto retry = say("hi", sdk_retry, second.actor);
  cancel(retry);
  CAF_CHECK(second.why().kind == error_kind::client_gone);
  CAF_CHECK_EQUAL(pool->count<order_cancelled>(), 0u);
  finish(id, "hello");
  CAF_CHECK_EQUAL(first.answers(), 1u);
  CAF_CHECK_EQUAL(second.answers(), 0u);
}

CAF_TEST(a retry takes the place of a waiting turn whose client has left) {
  const auto id = run();
  const auto waiting = say("more", {"", false, 2}, first.actor);
  const auto retry = say("more", {"", true, 2}, second.actor);
  cancel(waiting);
  finish(id, "hello");
  CAF_CHECK(first.why().kind == error_kind::client_gone);
  // Its first attempt never ran.
  CAF_CHECK_EQUAL(journal->count<find_answer>(), 0u);
  CAF_CHECK_EQUAL(order().id, retry);
  CAF_CHECK(order().requester == second.actor);
  finish(retry, "well");
  CAF_CHECK_EQUAL(second.inbox->count<turn_committed>(), 1u);
}

CAF_TEST(a waiting turn that all have left never runs) {
  const auto id = run();
  const auto waiting = say("more", {"", false, 2}, first.actor);
  const auto retry = say("more", {"", true, 2}, second.actor);
  cancel(retry);
  cancel(waiting);
  CAF_CHECK_EQUAL(first.inbox->count<turn_failed>(), 1u);
  CAF_CHECK_EQUAL(second.inbox->count<turn_failed>(), 1u);
  finish(id, "hello");
  CAF_CHECK_EQUAL(orders(), 1u);
}

CAF_TEST(a retry joins where another turn would be refused) {
  options.on_busy = busy_policy::reject;
  options.max_waiting = 0;
  const auto id = run();
  say("hi", sdk_retry, second.actor);
  CAF_CHECK_EQUAL(second.inbox->count<turn_failed>(), 0u);
  finish(id, "hello");
  CAF_CHECK(is_replay_of(second, "hello"));
}

CAF_TEST(what a retry will be answered with is stored with its turn) {
  const auto id = run({"key", false, 3});
  complete(id, "hello");
  CAF_CHECK(record().request == (digest{3, 3}));
  CAF_CHECK_EQUAL(record().idempotency_key, "key");
  CAF_CHECK_EQUAL(record().at - record().key_since, 600'000);
  CAF_CHECK(record().answer.find(R"("content":"hello")") != std::string::npos);
  CAF_CHECK(record().answer.find("chatcmpl-1") != std::string::npos);
}

CAF_TEST(without a window retries are turns of their own) {
  options.replay_window = 0ms;
  start_loaded();
  const auto id = say("hi", {"key"}, first.actor);
  const auto other = say("other", {"key", true, 2}, second.actor);
  CAF_CHECK_EQUAL(orders(), 1u);
  complete(id, "hello");
  CAF_CHECK(record().answer.empty());
  stored(id);
  CAF_CHECK_EQUAL(order().id, other);
  CAF_CHECK_EQUAL(journal->count<find_answer>(), 0u);
  CAF_CHECK_EQUAL(second.inbox->count<turn_failed>() + second.answers(), 0u);
}

CAF_TEST_FIXTURE_SCOPE_END()
