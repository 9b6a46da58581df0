#define CAF_SUITE request_replay
#include "tests/actors/request_fixture.hpp"

#include "http/answer_encoder.hpp"

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

/// What was answered to an earlier attempt.
std::string earlier_answer() {
  const http::answer_encoder encoder{"chatcmpl-earlier", 1, "m", false};
  return encoder.whole(answer_of("hello"));
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(request_replay_tests, request_fixture)

CAF_TEST(a turn says how a retry of its request is known) {
  head.idempotency_key = "k";
  head.is_retry = true;
  ask();
  CAF_CHECK_EQUAL(asked().idempotency_key, "k");
  CAF_CHECK(asked().is_retry);
  const auto first = asked().request;
  directory->all<turn_ptr>().clear();
  head.idempotency_key.clear();
  head.is_retry = false;
  ask();
  CAF_CHECK(asked().idempotency_key.empty());
  CAF_CHECK(!asked().is_retry);
  CAF_CHECK(asked().request == first);
  directory->all<turn_ptr>().clear();
  ask(true);
  CAF_CHECK(!(asked().request == first));
}

CAF_TEST(a replayed answer is the earlier one and says so) {
  ask();
  replay(earlier_answer());
  CAF_REQUIRE_EQUAL(connection->sent.size(), 1u);
  const auto& x = connection->sent[0];
  CAF_CHECK_EQUAL(x.status, 200);
  CAF_CHECK_EQUAL(x.body, earlier_answer());
  CAF_CHECK(has(x.headers, "x-idempotent-replay: true\r\n"));
  CAF_CHECK(has(x.headers, "x-thread-id: 7\r\n"));
  CAF_CHECK(!has(x.headers, "x-context-messages"));
  CAF_CHECK_EQUAL(x.content_type, "application/json");
  CAF_CHECK(connection->dropped);
}

CAF_TEST(an answer of its own is no replay) {
  ask();
  commit("hello");
  CAF_REQUIRE_EQUAL(connection->sent.size(), 1u);
  CAF_CHECK(!has(connection->sent[0].headers, "x-idempotent-replay"));
  CAF_CHECK(has(connection->sent[0].headers, "x-context-messages: 1/1\r\n"));
}

CAF_TEST(a replayed answer is a stream if one was asked for) {
  ask(true);
  replay(earlier_answer());
  CAF_CHECK(connection->sent.empty());
  CAF_REQUIRE_EQUAL(connection->begun.size(), 1u);
  const auto& x = connection->begun[0];
  CAF_CHECK(has(x.headers, "x-idempotent-replay: true\r\n"));
  CAF_CHECK(!has(x.headers, "x-context-messages"));
  CAF_CHECK(has(x.content_type, "text/event-stream"));
  CAF_CHECK(connection->ended);
  CAF_CHECK(has(connection->stream, "chatcmpl-earlier"));
  CAF_CHECK(has(connection->stream, R"("content":"hello")"));
  CAF_CHECK(has(connection->stream, R"("finish_reason":"stop")"));
  CAF_CHECK(connection->stream.ends_with("data: [DONE]\n\n"));
  CAF_CHECK(!has(connection->stream, "usage"));
}

CAF_TEST(a replayed stream has usage on request) {
  ask(true, R"(,"stream_options":{"include_usage":true})");
  replay(earlier_answer());
  CAF_CHECK(has(connection->stream, R"("total_tokens":2)"));
}

CAF_TEST(a plain answer that its conversation made is not made again) {
  ask();
  asked().commit({std::make_shared<const answer>(answer_of("hello")),
                  std::make_shared<const std::string>("{\"made\":1}"),
                  {2, 3},
                  nullptr});
  sched.run();
  CAF_REQUIRE_EQUAL(connection->sent.size(), 1u);
  CAF_CHECK_EQUAL(connection->sent[0].body, "{\"made\":1}");
  CAF_CHECK(has(connection->sent[0].headers, "x-context-messages: 2/3\r\n"));
}

CAF_TEST(a client that leaves pays for all that comes until its turn is over) {
  ask(true);
  deltas("one");
  CAF_CHECK_EQUAL(credit(), 0u);
  gone();
  const choice_delta one{0, "one", "", "", ""};
  CAF_CHECK_EQUAL(credit(), one.cost());
  CAF_CHECK_EQUAL(directory->count<turn_cancelled>(), 1u);
  // Another one waits for the answer, so it comes all the same.
  deltas("two");
  deltas("three");
  const choice_delta two{0, "two", "", "", ""};
  const choice_delta three{0, "three", "", "", ""};
  CAF_CHECK_EQUAL(credit(), one.cost() + two.cost() + three.cost());
  CAF_CHECK(!has(connection->stream, "two"));
  drained(100); // a late event of the connection gives nothing twice
  CAF_CHECK_EQUAL(credit(), one.cost() + two.cost() + three.cost());
  CAF_CHECK(!connection->dropped);
  commit("one two three");
  CAF_CHECK(connection->dropped);
  CAF_CHECK_EQUAL(directory->count<turn_cancelled>(), 1u);
}

CAF_TEST(a client that leaves before its answer begins is told of no answer) {
  ask(true);
  gone();
  deltas("one");
  CAF_CHECK(connection->begun.empty());
  CAF_CHECK_GREATER(credit(), 0u);
  fail(error_kind::client_gone);
  CAF_CHECK(connection->dropped);
}

CAF_TEST(a thread id that no header can hold is encoded) {
  post(R"({"model":"m","thread_id":"a\u00e9 b","messages":[{"role":"user","content":"hi"}]})");
  commit("hello");
  CAF_REQUIRE_EQUAL(connection->sent.size(), 1u);
  CAF_CHECK(has(connection->sent[0].headers, "x-thread-id: a%C3%A9 b\r\n"));
}

CAF_TEST_FIXTURE_SCOPE_END()
