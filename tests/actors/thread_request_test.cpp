#define CAF_SUITE thread_request
#include "tests/actors/thread_fixture.hpp"

using namespace lang_agent;
using namespace lang_agent::test;
using http::endpoint;

namespace {

constexpr endpoint of_threads[] = {endpoint::thread,        endpoint::thread_messages,
                                   endpoint::change_thread, endpoint::delete_thread,
                                   endpoint::fork_thread,   endpoint::export_thread};

const std::string pairs = R"({"metadata":{"a":"b"}})";

} // namespace

CAF_TEST_FIXTURE_SCOPE(thread_request_tests, thread_fixture)

CAF_TEST(a thread is shown) {
  put("7", "hi", "hello");
  call(endpoint::thread, "7");
  CAF_CHECK_EQUAL(status(), 200);
  CAF_CHECK(says(R"("id":"7","object":"thread")"));
  CAF_CHECK(says(R"("turns":1,"messages":2)"));
  CAF_CHECK(says(R"("instructions":[])"));
  CAF_CHECK(connection->dropped);
}

CAF_TEST(a thread that is not there is not found) {
  put("7", "hi", "hello");
  for (const auto target : of_threads) {
    call(target, "8", "", target == endpoint::change_thread ? pairs : "");
    CAF_CHECK_EQUAL(status(), 404);
    CAF_CHECK(says("thread_not_found"));
    CAF_CHECK(says("No thread with id '8' found."));
  }
}

CAF_TEST(the threads of other tenants are not there) {
  put("7", "hi", "hello");
  asking = theirs;
  for (const auto target : of_threads) {
    call(target, "7", "", target == endpoint::change_thread ? pairs : "");
    CAF_CHECK_EQUAL(status(), 404);
  }
  call(endpoint::threads);
  CAF_CHECK(says(R"("data":[])"));
  asking = ours;
  call(endpoint::thread, "7");
  CAF_CHECK_EQUAL(status(), 200);
}

CAF_TEST(what is no id of a thread is not found and nobody is asked) {
  const auto asked = control->questions;
  for (const std::string& id : {std::string{"\xff"}, std::string(129, 'x'), std::string{"a\nb"}}) {
    call(endpoint::thread, id);
    CAF_CHECK_EQUAL(status(), 404);
    call(endpoint::delete_thread, id);
    CAF_CHECK_EQUAL(status(), 404);
  }
  CAF_CHECK_EQUAL(control->questions, asked);
  CAF_CHECK(control->changes.empty());
}

CAF_TEST(threads are listed newest first in pages) {
  for (const auto* id : {"1", "2", "3"})
    put(id, "hi", "hello");
  call(endpoint::threads, "", "limit=2");
  CAF_CHECK_EQUAL(status(), 200);
  CAF_CHECK(says(R"("first_id":"3","last_id":"2","has_more":true)"));
  CAF_CHECK(!says("instructions"));
  call(endpoint::threads, "", "limit=2&after=2");
  CAF_CHECK(says(R"("first_id":"1","last_id":"1","has_more":false)"));
  call(endpoint::threads, "", "order=asc");
  CAF_CHECK(says(R"("first_id":"1","last_id":"3","has_more":false)"));
}

CAF_TEST(a bad query names its parameter) {
  put("7", "hi", "hello");
  for (const auto* query : {"limit=0", "limit=101", "limit=x", "order=up"}) {
    call(endpoint::threads, "", query);
    CAF_CHECK_EQUAL(status(), 400);
    CAF_CHECK(says(std::string{R"("param":")"} + (query[0] == 'l' ? "limit" : "order")));
    call(endpoint::thread_messages, "7", query);
    CAF_CHECK_EQUAL(status(), 400);
  }
  call(endpoint::threads, "", "after=nowhere");
  CAF_CHECK_EQUAL(status(), 400);
  CAF_CHECK(says(R"("param":"after")"));
  for (const auto* after : {"after=1", "after=msg_", "after=msg_01", "after=msg_x"}) {
    call(endpoint::thread_messages, "7", after);
    CAF_CHECK_EQUAL(status(), 400);
    CAF_CHECK(says(R"("param":"after")"));
  }
}

CAF_TEST(messages are listed from the first one in pages) {
  put("7", "one", "1");
  put("7", "two", "2");
  call(endpoint::thread_messages, "7", "limit=3");
  CAF_CHECK_EQUAL(status(), 200);
  CAF_CHECK(says(R"("first_id":"msg_1","last_id":"msg_3","has_more":true)"));
  call(endpoint::thread_messages, "7", "after=msg_3");
  CAF_CHECK(says(R"("first_id":"msg_4","last_id":"msg_4","has_more":false)"));
  call(endpoint::thread_messages, "7", "order=desc&limit=1");
  CAF_CHECK(says(R"("first_id":"msg_4")"));
}

CAF_TEST(a page of long messages ends early) {
  const std::string text(1'500'000, 'x');
  for (int i = 0; i < 3; ++i)
    put("7", text, text);
  call(endpoint::thread_messages, "7", "limit=100");
  CAF_CHECK(says(R"("first_id":"msg_1","last_id":"msg_3","has_more":true)"));
  CAF_CHECK_LESS(response().body.size(), 6u * 1024 * 1024);
  call(endpoint::thread_messages, "7", "limit=100&after=msg_3");
  CAF_CHECK(says(R"("first_id":"msg_4","last_id":"msg_6","has_more":false)"));
}

CAF_TEST(superseded messages are listed on request) {
  put("7", "one", "1");
  auto edit = turn(2, "7", 1);
  edit.turn.keep = 0;
  send(aut, std::move(edit));
  call(endpoint::thread_messages, "7");
  CAF_CHECK(says(R"("first_id":"msg_3","last_id":"msg_4")"));
  call(endpoint::thread_messages, "7", "superseded=true");
  CAF_CHECK(says(R"("first_id":"msg_1","last_id":"msg_4")"));
  CAF_CHECK(says(R"("superseded":true)"));
}

CAF_TEST(metadata is changed name by name) {
  put("7", "hi", "hello");
  call(endpoint::change_thread, "7", "", R"({"metadata":{"a":"1","b":"2"}})");
  CAF_CHECK_EQUAL(status(), 200);
  CAF_CHECK(says(R"("metadata":{"a":"1","b":"2"})"));
  call(endpoint::change_thread, "7", "", R"({"metadata":{"a":null,"c":"3"}})");
  CAF_CHECK(says(R"("metadata":{"b":"2","c":"3"})"));
  call(endpoint::thread, "7");
  CAF_CHECK(says(R"("metadata":{"b":"2","c":"3"})"));
}

CAF_TEST(metadata has a bound) {
  put("7", "hi", "hello");
  std::string body = R"({"metadata":{)";
  for (int i = 0; i < 17; ++i)
    body += (i ? ",\"" : "\"") + std::to_string(i) + "\":\"x\"";
  call(endpoint::change_thread, "7", "", body + "}}");
  CAF_CHECK_EQUAL(status(), 400);
  CAF_CHECK(says(R"("param":"metadata")"));
}

CAF_TEST(a bad body changes nothing) {
  put("7", "hi", "hello");
  const auto before = control->changes.size();
  for (const auto* body : {"", "{", "[]", "{}", R"({"metadata":5})", R"({"metadata":{"a":5}})"}) {
    call(endpoint::change_thread, "7", "", body);
    CAF_CHECK_EQUAL(status(), 400);
  }
  for (const auto* body : {"{", "[]", R"({"id":""})", R"({"id":[]})", R"({"up_to":"1"})"}) {
    call(endpoint::fork_thread, "7", "", body);
    CAF_CHECK_EQUAL(status(), 400);
  }
  CAF_CHECK_EQUAL(control->changes.size(), before);
}

CAF_TEST(a thread is deleted) {
  put("7", "hi", "hello");
  call(endpoint::delete_thread, "7");
  CAF_CHECK_EQUAL(status(), 200);
  CAF_CHECK_EQUAL(response().body, R"({"id":"7","object":"thread.deleted","deleted":true})");
  CAF_CHECK(!exists("7"));
  call(endpoint::delete_thread, "7");
  CAF_CHECK_EQUAL(status(), 404);
}

CAF_TEST(deleting a thread ends its turn) {
  put("7", "hi", "hello");
  run_turn("7");
  call(endpoint::delete_thread, "7");
  CAF_CHECK_EQUAL(status(), 200);
  CAF_REQUIRE_EQUAL(requester->count<turn_failed>(), 1u);
  CAF_CHECK(requester->last<turn_failed>().why.kind == error_kind::thread_changed);
  run_turn("7");
  CAF_CHECK_EQUAL(pool->last<order_ptr>()->prompt.size(), 1u);
}

CAF_TEST(deleting a thread whose first turn is running is no failure) {
  run_turn("7");
  call(endpoint::delete_thread, "7");
  CAF_CHECK_EQUAL(status(), 200);
  CAF_CHECK(says(R"("deleted":true)"));
  CAF_CHECK_EQUAL(requester->count<turn_failed>(), 1u);
  CAF_CHECK(!exists("7"));
  call(endpoint::delete_thread, "7");
  CAF_CHECK_EQUAL(status(), 404);
}

CAF_TEST(a thread is forked) {
  put("7", "one", "1");
  put("7", "two", "2");
  call(endpoint::fork_thread, "7", "", R"({"id":"8"})");
  CAF_CHECK_EQUAL(status(), 200);
  CAF_CHECK(says(R"("id":"8")"));
  CAF_CHECK(says(R"("messages":4)"));
  call(endpoint::fork_thread, "7", "", R"({"id":9,"up_to":"msg_2"})");
  CAF_CHECK(says(R"("id":"9")"));
  CAF_CHECK(says(R"("messages":2)"));
  call(endpoint::fork_thread, "7");
  CAF_CHECK(says(R"("id":"thread_)"));
  call(endpoint::fork_thread, "7", "", R"({"id":"10","up_to":"msg_99"})");
  CAF_CHECK_EQUAL(status(), 400);
  CAF_CHECK(says(R"("param":"up_to")"));
  // The next turn of a fork sees its history.
  run_turn("9");
  CAF_CHECK_EQUAL(pool->last<order_ptr>()->prompt.size(), 3u);
}

CAF_TEST(a fork does not replace a thread) {
  put("7", "one", "1");
  put("8", "two", "2");
  call(endpoint::fork_thread, "7", "", R"({"id":"8"})");
  CAF_CHECK_EQUAL(status(), 409);
  CAF_CHECK(says("thread_exists"));
  CAF_CHECK(says("A thread with id '8' exists already."));
  CAF_CHECK(response().headers.find("x-should-retry: false\r\n") != std::string::npos);
  call(endpoint::fork_thread, "7", "", R"({"id":"7"})");
  CAF_CHECK_EQUAL(status(), 409);
  CAF_CHECK(says("'7'"));
}

CAF_TEST(a fork of a thread that is not there names that one) {
  call(endpoint::fork_thread, "7", "", R"({"id":"8"})");
  CAF_CHECK_EQUAL(status(), 404);
  CAF_CHECK(says("No thread with id '7' found."));
}

CAF_TEST(a fork does not go where a turn is running) {
  put("7", "one", "1");
  run_turn("8");
  call(endpoint::fork_thread, "7", "", R"({"id":"8"})");
  CAF_CHECK_EQUAL(status(), 409);
  CAF_CHECK(says("'8'"));
  CAF_CHECK_EQUAL(requester->count<turn_failed>(), 0u);
}

CAF_TEST(a thread with a running turn is forked as it was before) {
  put("7", "one", "1");
  run_turn("7");
  call(endpoint::fork_thread, "7", "", R"({"id":"8"})");
  CAF_CHECK_EQUAL(status(), 200);
  CAF_CHECK(says(R"("messages":2)"));
}

CAF_TEST(a journal that is too slow is told) {
  put("7", "hi", "hello");
  auto full = fill_queue();
  const auto check = [&] {
    CAF_CHECK_EQUAL(status(), 503);
    CAF_CHECK(response().headers.find("retry-after: 1\r\n") != std::string::npos);
    CAF_CHECK(says("storage_unavailable"));
  };
  for (const auto target : of_threads) {
    call(target, "7", "", target == endpoint::change_thread ? pairs : "");
    check();
  }
  call(endpoint::threads);
  check();
  full.reset();
  CAF_CHECK(exists("7"));
}

CAF_TEST(a store that fails is told) {
  put("7", "hi", "hello");
  control->broken = true;
  for (const auto target : of_threads) {
    call(target, "7", "", target == endpoint::change_thread ? pairs : "");
    CAF_CHECK_EQUAL(status(), 503);
    CAF_CHECK(!says("secret"));
  }
  call(endpoint::threads);
  CAF_CHECK_EQUAL(status(), 503);
  control->broken = false;
  CAF_CHECK(exists("7"));
}

CAF_TEST(a client that leaves gets no answer and its change is made) {
  put("7", "hi", "hello");
  begin_call(endpoint::delete_thread, "7");
  while (!connection->listener && sched.try_run_once())
    continue;
  CAF_REQUIRE(connection->listener);
  connection->listener->on_gone();
  sched.run();
  CAF_CHECK(connection->sent.empty());
  CAF_CHECK(connection->dropped);
  CAF_CHECK(!exists("7"));
}

CAF_TEST_FIXTURE_SCOPE_END()
