#define CAF_SUITE thread_export
#include "tests/actors/thread_fixture.hpp"

#include <algorithm>

using namespace lang_agent;
using namespace lang_agent::test;
using http::endpoint;

namespace {

constexpr std::size_t big = 600'000; ///< two messages of this size fill a page

struct export_fixture : thread_fixture {
  void begin_export(const std::string& id = "7") {
    call(endpoint::export_thread, id);
  }

  /// A thread of three pages.
  void put_big() {
    for (int i = 0; i < 3; ++i)
      put("7", std::string(big, 'q'), std::string(big, 'a'));
  }

  void drained(std::size_t bytes) {
    taken += bytes;
    connection->listener->on_drained(bytes);
    sched.run();
  }

  /// The client takes all that was sent.
  void drain() {
    drained(connection->stream.size() - taken);
  }

  std::vector<std::string> lines() const {
    std::vector<std::string> out;
    std::istringstream in{connection->stream};
    for (std::string line; std::getline(in, line);)
      out.push_back(line);
    return out;
  }

  std::string last_line() const {
    const auto all = lines();
    return all.empty() ? "" : all.back();
  }

  bool has(const std::string& text) const {
    return connection->stream.find(text) != std::string::npos;
  }

  /// The export ends without its last line.
  bool was_cut() const {
    return connection->dropped && !connection->ended && connection->sent.empty()
           && !has("thread.end");
  }

  std::size_t taken = 0;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(thread_export_tests, export_fixture)

CAF_TEST(an export has a line for the thread and each message and the end) {
  put("7", "one", "1");
  put("7", "two", "2");
  begin_export();
  CAF_REQUIRE_EQUAL(connection->begun.size(), 1u);
  CAF_CHECK_EQUAL(connection->begun[0].status, 200);
  CAF_CHECK_EQUAL(connection->begun[0].content_type, "application/jsonl");
  CAF_CHECK(connection->begun[0].headers.find("x-thread-id: 7\r\n") != std::string::npos);
  CAF_CHECK(connection->ended);
  const auto all = lines();
  CAF_REQUIRE_EQUAL(all.size(), 6u);
  CAF_CHECK(all[0].find(R"("format":"lang-agent.thread/1")") != std::string::npos);
  CAF_CHECK(all[1].find(R"("content":"one")") != std::string::npos);
  CAF_CHECK(all[4].find(R"("content":"2")") != std::string::npos);
  CAF_CHECK_EQUAL(all[5], R"({"object":"thread.end","id":"7","messages":4})");
  CAF_CHECK(connection->stream.ends_with("\n"));
  CAF_CHECK(connection->dropped);
}

CAF_TEST(an export has what was superseded) {
  put("7", "one", "1");
  auto edit = turn(2, "7", 1);
  edit.turn.keep = 0;
  send(aut, std::move(edit));
  begin_export();
  CAF_CHECK_EQUAL(lines().size(), 6u);
  CAF_CHECK(has(R"("superseded":true)"));
}

CAF_TEST(a long thread is read in pages as fast as the client takes it) {
  put_big();
  const auto before = control->questions;
  begin_export();
  CAF_CHECK_EQUAL(control->questions - before, 1u); // the thread with its first page
  CAF_CHECK_EQUAL(lines().size(), 3u);
  CAF_CHECK_GREATER(connection->drain_step, 0u);
  drained(1000);
  CAF_CHECK_EQUAL(control->questions - before, 1u);
  // Not before little is left to write.
  drained(connection->stream.size() - 1000 - 2 * connection->drain_step);
  CAF_CHECK_EQUAL(control->questions - before, 1u);
  drained(connection->drain_step);
  CAF_CHECK_EQUAL(control->questions - before, 2u);
  CAF_CHECK_EQUAL(lines().size(), 5u);
  drain();
  CAF_CHECK_EQUAL(control->questions - before, 3u);
  CAF_CHECK(!connection->ended);
  drain();
  CAF_CHECK_EQUAL(control->questions - before, 4u); // is the thread the same?
  CAF_CHECK(connection->ended);
  CAF_CHECK_EQUAL(lines().size(), 8u);
  CAF_CHECK_EQUAL(last_line(), R"({"object":"thread.end","id":"7","messages":6})");
  CAF_CHECK_EQUAL(connection->begun.size(), 1u);
}

CAF_TEST(a thread of one page is as it was at one moment) {
  put("7", "one", "1");
  const auto before = control->questions;
  begin_export();
  CAF_CHECK_EQUAL(control->questions - before, 1u);
  CAF_CHECK(connection->ended);
  CAF_CHECK_EQUAL(lines().size(), 4u);
}

CAF_TEST(turns that come at any moment never make an export of two states) {
  for (std::size_t turns = 0; turns < 30; ++turns) {
    put("7", "q" + std::to_string(turns), "a");
    begin_call(endpoint::export_thread, "7");
    for (auto n = turns; n > 0; --n)
      sched.try_run_once();
    put("7", "late", "turn");
    CAF_REQUIRE(connection->ended);
    // Its first line counts what follows.
    const auto all = lines();
    const auto messages = "\"messages\":" + std::to_string(all.size() - 2);
    CAF_CHECK(all.front().find(messages + ",") != std::string::npos);
    CAF_CHECK(all.back().find(messages + "}") != std::string::npos);
  }
}

CAF_TEST(a thread of many small messages is read in pages too) {
  for (int i = 0; i < 1500; ++i)
    put("7", "q" + std::to_string(i), "a" + std::to_string(i));
  begin_export();
  while (!connection->ended && taken < connection->stream.size())
    drain();
  const auto all = lines();
  CAF_REQUIRE_EQUAL(all.size(), 3002u);
  for (std::size_t i = 1; i <= 3000; ++i)
    CAF_REQUIRE(all[i].starts_with(R"({"id":"msg_)" + std::to_string(i) + "\""));
  CAF_CHECK_EQUAL(all.back(), R"({"object":"thread.end","id":"7","messages":3000})");
}

CAF_TEST(a turn in the middle of an export cuts it) {
  put_big();
  begin_export();
  drain();
  put("7", "new", "turn");
  drain();
  drain();
  drain();
  CAF_CHECK(was_cut());
}

CAF_TEST(a turn after the last page of an export cuts it) {
  put_big();
  begin_export();
  drain();
  drain();
  put("7", "new", "turn");
  drain();
  CAF_CHECK(was_cut());
}

CAF_TEST(a thread that is deleted in the middle of its export is cut) {
  put_big();
  begin_export();
  send(directory, change_thread{{"tenant", "7"}, delete_thread{{"tenant", "7"}}});
  drain();
  CAF_CHECK(was_cut());
}

CAF_TEST(a thread that another one replaced in the middle of its export is cut) {
  put_big();
  begin_export();
  drain();
  send(directory, change_thread{{"tenant", "7"}, delete_thread{{"tenant", "7"}}});
  versions["7"] = 0;
  put("7", "another", "one");
  drain();
  drain();
  CAF_CHECK(was_cut());
}

CAF_TEST(metadata may change during an export) {
  put_big();
  begin_export();
  drain();
  send(aut, change_thread{{}, change_metadata{{"tenant", "7"}, {{"a", "b"}}}});
  drain();
  drain();
  CAF_CHECK(connection->ended);
  CAF_CHECK(has("thread.end"));
}

CAF_TEST(a store that fails in the middle of an export cuts it) {
  put_big();
  begin_export();
  control->broken = true;
  drain();
  CAF_CHECK(was_cut());
}

CAF_TEST(a journal that is too slow in the middle of an export cuts it) {
  put_big();
  begin_export();
  auto full = fill_queue();
  drain();
  CAF_CHECK(was_cut());
}

CAF_TEST(a client that leaves ends the export) {
  put_big();
  const auto before = control->questions;
  begin_export();
  connection->listener->on_gone();
  sched.run();
  CAF_CHECK(connection->dropped);
  CAF_CHECK(!connection->ended);
  connection->listener->on_drained(10 * big);
  sched.run();
  CAF_CHECK_EQUAL(control->questions - before, 1u);
}

CAF_TEST(an id that no header can hold is encoded) {
  put("a é", "one", "1");
  begin_export("a é");
  CAF_REQUIRE_EQUAL(connection->begun.size(), 1u);
  CAF_CHECK(connection->begun[0].headers.find("x-thread-id: a %C3%A9\r\n") != std::string::npos);
  CAF_CHECK(has(R"({"object":"thread.end","id":"a é","messages":2})"));
}

CAF_TEST_FIXTURE_SCOPE_END()
