#define CAF_SUITE request_keepalive
#include "tests/actors/request_fixture.hpp"

#include "http/answer_encoder.hpp"

using namespace lang_agent;
using namespace lang_agent::test;
using namespace std::chrono_literals;

namespace {

const std::string comment = ": keep-alive\n\n";

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string earlier_answer() {
  const http::answer_encoder encoder{"chatcmpl-earlier", 1, "m", false};
  return encoder.whole(answer_of("hello"));
}

struct keepalive_fixture : request_fixture {
  keepalive_fixture() {
    context->sse_keepalive = 15s;
    context->json_keepalive = 7s;
  }

  /// The one head that was sent.
  const http::response& head_sent() {
    CAF_REQUIRE(connection->sent.empty());
    CAF_REQUIRE_EQUAL(connection->begun.size(), 1u);
    return connection->begun[0];
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(request_keepalive_tests, keepalive_fixture)

CAF_TEST(streams and plain answers have their own patience) {
  ask(true);
  CAF_CHECK(connection->silence == 15s);
  directory->all<turn_ptr>().clear();
  ask();
  CAF_CHECK(connection->silence == 7s);
}

CAF_TEST(a silent stream begins with a comment) {
  ask(true);
  silent();
  const auto& x = head_sent();
  CAF_CHECK_EQUAL(x.status, 200);
  CAF_CHECK_EQUAL(x.body, comment);
  CAF_CHECK(has(x.content_type, "text/event-stream"));
  CAF_CHECK(has(x.headers, "x-accel-buffering: no\r\n"));
  CAF_CHECK(has(x.headers, "x-thread-id: 7\r\n"));
  CAF_CHECK(!has(x.headers, "x-context-messages"));
  silent();
  CAF_CHECK_EQUAL(connection->stream, comment + comment);
}

CAF_TEST(a stream goes on after comments) {
  ask(true);
  silent();
  deltas("Hel");
  silent();
  deltas("lo");
  commit("Hello");
  head_sent();
  CAF_CHECK(connection->ended);
  const auto& stream = connection->stream;
  CAF_CHECK(stream.starts_with(comment + "data: {"));
  CAF_CHECK(has(stream, "}\n\n" + comment + "data: {"));
  CAF_CHECK(has(stream, R"("content":"lo")"));
  CAF_CHECK(stream.ends_with("data: [DONE]\n\n"));
}

CAF_TEST(a turn without deltas ends a begun stream) {
  ask(true);
  silent();
  commit("");
  head_sent();
  CAF_CHECK(connection->ended);
  CAF_CHECK(connection->stream.ends_with("data: [DONE]\n\n"));
}

CAF_TEST(a failure after a comment is an event) {
  ask(true);
  silent();
  fail(error_kind::upstream_timeout);
  head_sent();
  CAF_CHECK(connection->ended);
  CAF_CHECK(connection->stream.starts_with(comment + R"(data: {"error":)"));
  CAF_CHECK(!has(connection->stream, "[DONE]"));
}

CAF_TEST(a replayed answer continues a begun stream) {
  ask(true);
  silent();
  replay(earlier_answer());
  CAF_CHECK(!has(head_sent().headers, "x-idempotent-replay"));
  CAF_CHECK(connection->ended);
  CAF_CHECK(has(connection->stream, "chatcmpl-earlier"));
  CAF_CHECK(connection->stream.ends_with("data: [DONE]\n\n"));
}

CAF_TEST(a plain answer comes after white space) {
  ask();
  silent();
  silent();
  commit("hello");
  const auto& x = head_sent();
  CAF_CHECK_EQUAL(x.status, 200);
  CAF_CHECK_EQUAL(x.content_type, "application/json");
  CAF_CHECK(has(x.headers, "x-thread-id: 7\r\n"));
  CAF_CHECK(!has(x.headers, "x-context-messages"));
  CAF_CHECK(connection->ended);
  CAF_CHECK(connection->stream.starts_with("  {"));
  CAF_CHECK(has(connection->stream, R"("content":"hello")"));
}

CAF_TEST(a replayed plain answer comes after white space) {
  ask();
  silent();
  replay(earlier_answer());
  head_sent();
  CAF_CHECK(connection->ended);
  CAF_CHECK_EQUAL(connection->stream, " " + earlier_answer());
}

CAF_TEST(a failure after white space is the error object) {
  ask();
  silent();
  fail(error_kind::upstream_timeout);
  head_sent();
  CAF_CHECK(connection->ended);
  CAF_CHECK(connection->stream.starts_with(R"( {"error":{"message":)"));
  CAF_CHECK(has(connection->stream, R"("code":"upstream_timeout")"));
}

CAF_TEST(comments neither cost credit nor lose any) {
  ask(true);
  silent();
  drained(comment.size());
  CAF_CHECK_EQUAL(credit(), 0u);
  silent();
  deltas("some text");
  silent();
  const choice_delta same{0, "some text", "", "", ""};
  const auto left = connection->stream.size() - comment.size();
  drained(left / 2);
  CAF_CHECK_LESS(credit(), same.cost());
  drained(left - left / 2);
  CAF_CHECK_EQUAL(credit(), same.cost());
  silent();
  drained(comment.size());
  CAF_CHECK_EQUAL(credit(), same.cost());
}

CAF_TEST(nothing is written to a client that has left) {
  ask(true);
  gone();
  silent();
  CAF_CHECK(connection->begun.empty());
  CAF_CHECK_EQUAL(connection->stream, "");
}

CAF_TEST(a request that is killed after a comment drops its connection) {
  ask(true);
  silent();
  kill(asked().requester);
  CAF_CHECK_EQUAL(directory->count<turn_cancelled>(), 1u);
  CAF_CHECK(connection->dropped);
  CAF_CHECK(!connection->ended);
}

CAF_TEST_FIXTURE_SCOPE_END()
