#define CAF_SUITE thread_import
#include "tests/actors/import_fixture.hpp"

using namespace lang_agent;
using namespace lang_agent::test;
using http::endpoint;

CAF_TEST_FIXTURE_SCOPE(thread_import_tests, import_fixture)

CAF_TEST(an imported thread is as it was) {
  import_file(thread_file("7"));
  CAF_CHECK_EQUAL(status(), 200);
  CAF_CHECK(says(R"({"object":"list","data":[{"id":"7","object":"thread")"));
  const auto x = info("7");
  CAF_CHECK_EQUAL(x.created, 1'600'000'000'000);
  CAF_CHECK_EQUAL(x.updated, 1'600'000'001'000);
  CAF_CHECK_EQUAL(x.turns, 1u);
  CAF_CHECK_EQUAL(x.messages, 2u);
  CAF_CHECK_EQUAL(x.metadata.at("a"), "b");
  CAF_CHECK_EQUAL(x.instructions.size(), 1u);
  CAF_CHECK(connection->dropped);
  run_turn("7");
  CAF_CHECK_EQUAL(pool->last<order_ptr>()->prompt.size(), 4u);
}

CAF_TEST(what was exported can be imported by another tenant) {
  put("7", "one", "1");
  put("7", "two", "2");
  call(endpoint::export_thread, "7");
  const auto file = connection->stream;
  asking = theirs;
  import_file(file);
  CAF_CHECK_EQUAL(status(), 200);
  call(endpoint::export_thread, "7");
  CAF_CHECK_EQUAL(connection->stream, file);
}

CAF_TEST(pieces may end anywhere) {
  const auto file = thread_file("7");
  begin_import();
  for (std::size_t i = 0; i < file.size(); ++i)
    feed(file.substr(i, 1), i + 1 == file.size());
  CAF_CHECK_EQUAL(status(), 200);
  CAF_CHECK_EQUAL(info("7").messages, 2u);
  for (const std::size_t size : {2u, 3u, 7u, 50u}) {
    begin_import();
    const auto id = "of " + std::to_string(size);
    const auto same = thread_file(id);
    for (std::size_t i = 0; i < same.size(); i += size)
      feed(same.substr(i, size), i + size >= same.size());
    CAF_CHECK_EQUAL(status(), 200);
    CAF_CHECK_EQUAL(info(id).messages, 2u);
  }
}

CAF_TEST(the last piece may be empty) {
  begin_import();
  feed(thread_file("7"));
  CAF_CHECK(connection->sent.empty());
  feed("", true);
  CAF_CHECK_EQUAL(status(), 200);
}

CAF_TEST(line ends and blank lines are as the client likes them) {
  auto file = "\n  \r\n" + thread_file("7");
  for (std::size_t i = 0; (i = file.find("}\n", i)) != std::string::npos; i += 4)
    file.replace(i, 2, "}\r\n\n");
  import_file(file);
  CAF_CHECK_EQUAL(status(), 200);
  auto without_end = thread_file("8");
  without_end.pop_back();
  import_file(without_end);
  CAF_CHECK_EQUAL(status(), 200);
}

CAF_TEST(a file may hold several threads) {
  import_file(thread_file("1") + thread_file("2") + head_of("3", 0) + end_of("3", 0));
  CAF_CHECK_EQUAL(status(), 200);
  for (const auto* id : {"1", "2", "3"})
    CAF_CHECK(exists(id));
  CAF_CHECK_EQUAL(info("3").messages, 0u);
  const auto& body = response().body;
  CAF_CHECK(body.find(R"("id":"1")") < body.find(R"("id":"2")"));
  CAF_CHECK(body.find(R"("id":"2")") < body.find(R"("id":"3")"));
}

CAF_TEST(the store gets a long thread in pieces and the client waits for it) {
  auto file = head_of("7");
  for (std::uint64_t i = 1; i <= 600; ++i)
    file += line_of(i, i % 2 ? "user" : "assistant", "x");
  begin_import();
  feed(file);
  CAF_CHECK_EQUAL(count_of<import_messages>(), 2u);
  for (const auto& x : control->changes)
    if (const auto* piece = std::get_if<import_messages>(&x))
      CAF_CHECK_EQUAL(piece->messages.size(), 256u);
  CAF_CHECK(!exists("7"));
  feed(end_of("7", 600), true);
  CAF_CHECK_EQUAL(status(), 200);
  CAF_CHECK_EQUAL(info("7").messages, 600u);
  CAF_CHECK_EQUAL(control->commits.back(), 1u);
}

CAF_TEST(the body is not read while the store works) {
  begin_import();
  connection->listener->on_body(head_of("7"), false);
  while (sched.try_run_once() && connection->reads == 1)
    CAF_CHECK_LESS_OR_EQUAL(control->questions, 1u);
  CAF_CHECK_EQUAL(control->questions, 1u); // is there such a thread?
  CAF_CHECK_EQUAL(connection->reads, 2u);
}

CAF_TEST(superseded messages stay so) {
  import_file(head_of("7")
              + http::export_message_line({1, 1'600'000'000'500, true, message("user", "old")})
              + line_of(2, "user", "hi") + line_of(3, "assistant", "hello") + end_of("7", 3));
  CAF_CHECK_EQUAL(status(), 200);
  CAF_CHECK_EQUAL(info("7").messages, 2u);
}

CAF_TEST(a line has a bound) {
  const std::string text(1000, 'x');
  begin_import();
  feed(head_of("8") + line_of(1, "user", text).substr(0, 999));
  CAF_CHECK(connection->sent.empty());
  feed("xxxxx");
  CAF_CHECK_EQUAL(status(), 413);
  CAF_CHECK(says("Line 2 is longer than 1000 bytes."));
  CAF_CHECK(!exists("8"));
  CAF_CHECK_EQUAL(count_of<discard_import>(), 1u);
}

CAF_TEST(a line has the same bound when it comes in one piece) {
  import_file(head_of("8") + line_of(1, "user", std::string(1000, 'x')) + end_of("8", 1));
  CAF_CHECK_EQUAL(status(), 413);
  CAF_CHECK(says("Line 2 is longer than 1000 bytes."));
  CAF_CHECK(was_discarded("8"));
}

CAF_TEST_FIXTURE_SCOPE_END()
