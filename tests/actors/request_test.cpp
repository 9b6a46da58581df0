#define CAF_SUITE request
#include "tests/actors/request_fixture.hpp"

using namespace lang_agent;
using namespace lang_agent::test;

CAF_TEST_FIXTURE_SCOPE(request_tests, request_fixture)

CAF_TEST(a request asks its directory shard for a turn) {
  ask();
  CAF_REQUIRE_EQUAL(directory->count<turn_ptr>(), 1u);
  CAF_CHECK_EQUAL(asked().key.tenant, "tenant");
  CAF_CHECK_EQUAL(asked().key.thread, "7");
  CAF_CHECK_EQUAL(asked().messages.size(), 1u);
  CAF_CHECK(connection->sent.empty());
}

CAF_TEST(a turn brings the share of its tenant) {
  tenant_settings tenant;
  tenant.name = "tenant";
  tenant.weight = 7;
  tenant.max_waiting = 11;
  head.caller = asking = caller_with(tenant);
  ask();
  CAF_REQUIRE(asked().share != nullptr);
  CAF_CHECK_EQUAL(asked().share->tenant, "tenant");
  CAF_CHECK_EQUAL(asked().share->weight, 7u);
  CAF_CHECK_EQUAL(asked().share->max_waiting, 11u);
}

CAF_TEST(a committed turn is answered as JSON) {
  ask();
  commit("hello");
  CAF_REQUIRE_EQUAL(connection->sent.size(), 1u);
  CAF_CHECK_EQUAL(connection->sent[0].status, 200);
  CAF_CHECK(connection->sent[0].body.find(R"("content":"hello")") != std::string::npos);
  CAF_CHECK(connection->sent[0].headers.find("x-thread-id: 7\r\n") != std::string::npos);
}

CAF_TEST(a bad body is refused and asks nobody) {
  post(R"({"model":"m","messages":"hi"})");
  CAF_REQUIRE_EQUAL(connection->sent.size(), 1u);
  CAF_CHECK_EQUAL(connection->sent[0].status, 400);
  CAF_CHECK_EQUAL(directory->count<turn_ptr>(), 0u);
}

CAF_TEST(a stream begins with the first delta and ends only after the commit) {
  ask(true);
  CAF_CHECK(connection->begun.empty());
  deltas("Hel");
  CAF_REQUIRE_EQUAL(connection->begun.size(), 1u);
  CAF_CHECK(connection->begun[0].headers.find("x-accel-buffering: no") != std::string::npos);
  deltas("lo");
  CAF_CHECK(connection->stream.find(R"("content":"lo")") != std::string::npos);
  CAF_CHECK(connection->stream.find("finish_reason\":\"stop") == std::string::npos);
  CAF_CHECK(!connection->ended);
  commit("Hello");
  CAF_CHECK(connection->ended);
  CAF_CHECK(connection->stream.find("finish_reason\":\"stop") != std::string::npos);
  CAF_CHECK(connection->stream.ends_with("data: [DONE]\n\n"));
}

CAF_TEST(a failure before the first delta is an HTTP error) {
  ask(true);
  fail(error_kind::upstream_timeout);
  CAF_REQUIRE_EQUAL(connection->sent.size(), 1u);
  CAF_CHECK_EQUAL(connection->sent[0].status, 504);
}

CAF_TEST(a failure after the first delta is an event and no end of stream) {
  ask(true);
  deltas("Hel");
  fail(error_kind::upstream_cut);
  CAF_CHECK(connection->ended);
  CAF_CHECK(connection->stream.find(R"(data: {"error":)") != std::string::npos);
  CAF_CHECK(connection->stream.find("[DONE]") == std::string::npos);
}

CAF_TEST(credit comes back as the connection drains and all of it in the end) {
  ask(true);
  deltas("some text");
  const choice_delta same{0, "some text", "", "", ""};
  CAF_CHECK_EQUAL(source->count<credit_granted>(), 0u);
  const auto wire = connection->stream.size();
  CAF_CHECK(wire >= same.cost()); // else the connection's step might never be reached
  connection->listener->on_drained(wire / 2);
  sched.run();
  connection->listener->on_drained(wire);
  sched.run();
  std::size_t sum = 0;
  for (const auto& x : source->all<credit_granted>())
    sum += x.bytes;
  CAF_CHECK_EQUAL(sum, same.cost());
}

CAF_TEST(a client that goes away cancels its turn) {
  ask(true);
  connection->listener->on_gone();
  sched.run();
  CAF_REQUIRE_EQUAL(directory->count<turn_cancelled>(), 1u);
  CAF_CHECK_EQUAL(directory->last<turn_cancelled>().id, asked().id);
  // A retry may want the answer: the request stays until it hears of the end.
  CAF_CHECK(!connection->dropped);
  fail(error_kind::client_gone);
  CAF_CHECK(connection->dropped);
  CAF_CHECK_EQUAL(directory->count<turn_cancelled>(), 1u);
}

CAF_TEST(by policy a turn goes on without its client and gets credit for nothing written) {
  context->on_disconnect = disconnect_policy::finish;
  ask(true);
  deltas("one");
  connection->listener->on_gone();
  sched.run();
  CAF_CHECK_EQUAL(source->count<credit_granted>(), 1u);
  deltas("two");
  CAF_CHECK_EQUAL(source->count<credit_granted>(), 2u);
  CAF_CHECK(connection->stream.find("two") == std::string::npos);
  commit("one two");
  CAF_CHECK_EQUAL(directory->count<turn_cancelled>(), 0u);
}

CAF_TEST(a tenant has no more turns in flight than its limit) {
  ask();
  CAF_CHECK_EQUAL(permits_taken(), 1u);
  ask();
  CAF_REQUIRE_EQUAL(connection->sent.size(), 1u);
  CAF_CHECK_EQUAL(connection->sent[0].status, 429);
  CAF_CHECK_EQUAL(directory->count<turn_ptr>(), 1u);
}

CAF_TEST(the permit comes back with the end of the turn) {
  ask();
  commit("hello");
  directory->all<turn_ptr>().clear(); // as its conversation would
  CAF_CHECK_EQUAL(permits_taken(), 0u);
}

CAF_TEST(a request actor that is killed cancels its turn and drops its connection) {
  ask(true);
  kill(asked().requester);
  CAF_CHECK_EQUAL(directory->count<turn_cancelled>(), 1u);
  CAF_CHECK(connection->dropped);
  directory->all<turn_ptr>().clear();
  CAF_CHECK_EQUAL(permits_taken(), 0u);
}

CAF_TEST_FIXTURE_SCOPE_END()
