#define CAF_SUITE thread_import_failure
#include "tests/actors/import_fixture.hpp"

using namespace lang_agent;
using namespace lang_agent::test;
using http::endpoint;

CAF_TEST_FIXTURE_SCOPE(thread_import_failure_tests, import_fixture)

CAF_TEST(a file that is no export names its line) {
  const auto user = line_of(1, "user", "hi");
  struct row {
    std::string file;
    const char* problem;
  };
  const row table[] = {
      {"", "The file holds no thread."},
      {"\n\n", "The file holds no thread."},
      {"nonsense\n", "line 1: "},
      {"{}\n", "line 1: "},
      {user, "line 1: a message comes before the line of its thread."},
      {end_of("7", 0), "line 1: the end of a thread that has not begun."},
      {head_of("7") + head_of("8"), "line 2: a thread begins before the one before it has ended."},
      {head_of("7") + user + end_of("8", 1), "line 3: the end of a thread that has not begun."},
      {head_of("7") + user + end_of("7", 2),
       "line 3: the thread should have 2 messages, but 1 were there."},
      {head_of("7") + end_of("7", 1),
       "line 2: the thread should have 1 messages, but 0 were there."},
      {head_of("7") + user, "The file ends before the thread '7' does"},
      {head_of("7") + user + "{\n", "line 3: "},
      {head_of("7") + user + "\n" + user.substr(0, 20), "line 4: "},
  };
  for (const auto& [file, problem] : table) {
    import_file(file);
    if (connection->sent.size() != 1 || status() != 400 || !says(problem))
      CAF_ERROR(file << "is not told that " << problem << " but " << response().body);
    CAF_CHECK_EQUAL(status(), 400);
    CAF_CHECK(says(problem));
    CAF_CHECK(connection->dropped);
    CAF_CHECK(!exists("7"));
    CAF_CHECK(!exists("8"));
  }
}

CAF_TEST(what was begun of a bad thread is cleared away) {
  auto file = head_of("7");
  for (std::uint64_t i = 1; i <= 300; ++i)
    file += line_of(i, "user", "x");
  import_file(file + "nonsense\n");
  CAF_CHECK_EQUAL(status(), 400);
  CAF_CHECK(says("line 302: "));
  CAF_CHECK_EQUAL(count_of<import_messages>(), 1u);
  CAF_CHECK(was_discarded("7"));
}

CAF_TEST(a thread that exists is not replaced and the upload ends early) {
  put("7", "hi", "hello");
  begin_import();
  feed(head_of("7"));
  CAF_CHECK_EQUAL(status(), 409);
  CAF_CHECK(says("thread_exists"));
  CAF_CHECK(says("'7'"));
  CAF_CHECK_EQUAL(connection->reads, 1u);
  CAF_CHECK_EQUAL(info("7").messages, 2u);
}

CAF_TEST(a thread that comes twice in a file is imported once) {
  import_file(thread_file("7") + thread_file("7"));
  CAF_CHECK_EQUAL(status(), 409);
  CAF_CHECK(says("1 threads that came before it in the file were imported."));
  CAF_CHECK(exists("7"));
}

CAF_TEST(threads before a bad one stay) {
  import_file(thread_file("1") + thread_file("2") + head_of("3"));
  CAF_CHECK_EQUAL(status(), 400);
  CAF_CHECK(says("2 threads that came before it in the file were imported."));
  CAF_CHECK(exists("1"));
  CAF_CHECK(exists("2"));
  CAF_CHECK(!exists("3"));
}

CAF_TEST(a thread that appeared during the upload is not replaced) {
  begin_import();
  feed(head_of("7") + line_of(1, "user", "hi"));
  put("7", "first", "come");
  feed(end_of("7", 1), true);
  CAF_CHECK_EQUAL(status(), 409);
  CAF_CHECK_EQUAL(count_of<discard_import>(), 1u);
  CAF_CHECK_EQUAL(info("7").messages, 2u);
}

CAF_TEST(an import does not go where a turn is running) {
  run_turn("7");
  import_file(thread_file("7"));
  CAF_CHECK_EQUAL(status(), 409);
  CAF_CHECK_EQUAL(requester->count<turn_failed>(), 0u);
  CAF_CHECK(was_discarded("7"));
}

CAF_TEST(a store that fails is told and nothing is left) {
  begin_import();
  feed(head_of("7") + line_of(1, "user", "hi"));
  control->is_bad = [](const store_change& x) {
    return std::holds_alternative<import_messages>(x);
  };
  feed(end_of("7", 1), true);
  CAF_CHECK_EQUAL(status(), 503);
  CAF_CHECK(!says("secret"));
  CAF_CHECK(was_discarded("7"));
}

CAF_TEST(a store that fails in the end is told and nothing is left) {
  control->is_bad = [](const store_change& x) { return std::holds_alternative<finish_import>(x); };
  import_file(thread_file("7"));
  CAF_CHECK_EQUAL(status(), 503);
  CAF_CHECK(was_discarded("7"));
}

CAF_TEST(a store that fails at once is told) {
  begin_import();
  control->broken = true;
  feed(head_of("7"));
  CAF_CHECK_EQUAL(status(), 503);
  control->broken = false;
  CAF_CHECK(!exists("7"));
}

CAF_TEST(a journal that is too slow is told at each step) {
  const auto check = [&] {
    CAF_CHECK_EQUAL(status(), 503);
    CAF_CHECK(response().headers.find("retry-after: 1\r\n") != std::string::npos);
  };
  begin_import();
  auto full = fill_queue();
  feed(head_of("7"));
  check();
  full.reset();
  begin_import();
  feed(head_of("7") + line_of(1, "user", "hi"));
  full = fill_queue();
  feed(end_of("7", 1), true);
  check();
  full.reset();
  begin_import();
  feed(head_of("7"));
  full = fill_queue();
  feed(end_of("7", 0), true);
  check();
  full.reset();
  CAF_CHECK(!exists("7"));
}

CAF_TEST(a client that leaves in the middle leaves nothing behind) {
  begin_import();
  auto file = head_of("7");
  for (std::uint64_t i = 1; i <= 300; ++i)
    file += line_of(i, "user", "x");
  feed(file);
  CAF_CHECK_EQUAL(count_of<import_messages>(), 1u);
  CAF_CHECK_EQUAL(count_of<discard_import>(), 0u);
  connection->listener->on_gone();
  sched.run();
  CAF_CHECK(connection->sent.empty());
  CAF_CHECK(connection->dropped);
  CAF_CHECK(was_discarded("7"));
}

CAF_TEST(what was begun is cleared away although the queue to the journal is full) {
  begin_import();
  feed(head_of("7") + line_of(1, "user", "hi"));
  auto full = fill_queue();
  connection->listener->on_gone();
  sched.run();
  CAF_CHECK_EQUAL(count_of<discard_import>(), 1u);
}

CAF_TEST(a client that leaves between two threads keeps the first) {
  begin_import();
  feed(thread_file("1"));
  CAF_CHECK(exists("1"));
  connection->listener->on_gone();
  sched.run();
  CAF_CHECK(exists("1"));
  CAF_CHECK_EQUAL(count_of<discard_import>(), 0u);
}

CAF_TEST_FIXTURE_SCOPE_END()
