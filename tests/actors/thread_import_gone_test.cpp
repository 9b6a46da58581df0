/// Clients that leave an import at any moment.
#define CAF_SUITE thread_import_gone
#include "tests/actors/import_fixture.hpp"

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

struct gone_fixture : import_fixture {
  std::size_t imported = 0;
  std::size_t left = 0;

  void leave() {
    connection->listener->on_gone();
    sched.run();
  }

  /// The thread's conversation is in memory and has nothing to do.
  void wake(const std::string& id) {
    run_turn(id);
    pool->last<order_ptr>()->fail({error_kind::upstream_error, "broken"});
    pool->all<order_ptr>().clear();
    sched.run();
  }

  /// The client leaves after so many messages between actors. All of the thread is there, or
  /// nothing.
  void check_left_after(int messages, const std::string& id, const std::string& body,
                        std::uint64_t count) {
    begin_import();
    connection->listener->on_body(body, true);
    for (int i = 0; i < messages; ++i)
      sched.try_run_once();
    leave();
    CAF_REQUIRE(connection->dropped);
    if (exists(id)) {
      ++imported;
      const auto info = this->info(id);
      CAF_REQUIRE_EQUAL(info.messages, count);
      CAF_REQUIRE_EQUAL(info.instructions.size(), 1u);
      return;
    }
    ++left;
    CAF_REQUIRE(connection->sent.empty());
    // The id is free: the same file can be sent again.
    import_file(body);
    CAF_REQUIRE_EQUAL(status(), 200);
    CAF_REQUIRE_EQUAL(info(id).messages, count);
  }

  void check_both_happened() const {
    CAF_CHECK_GREATER(imported, 0u);
    CAF_CHECK_GREATER(left, 0u);
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(thread_import_gone_tests, gone_fixture)

CAF_TEST(a client that leaves at any moment leaves no part of a thread) {
  for (int n = 0; n <= 40; ++n) {
    const auto id = std::to_string(n);
    check_left_after(n, id, thread_file(id), 2);
  }
  check_both_happened();
}

CAF_TEST(a client that leaves at any moment of a long import leaves no part of a thread) {
  for (int n = 0; n <= 40; ++n) {
    const auto id = std::to_string(n);
    auto file = head_of(id);
    for (std::uint64_t i = 1; i <= 600; ++i)
      file += line_of(i, i % 2 ? "user" : "assistant", "x");
    check_left_after(n, id, file + end_of(id, 600), 600);
  }
  check_both_happened();
}

CAF_TEST(a client that leaves at any moment leaves no part where a conversation is in memory) {
  for (int n = 0; n <= 40; ++n) {
    const auto id = std::to_string(n);
    wake(id);
    check_left_after(n, id, thread_file(id), 2);
  }
  check_both_happened();
}

CAF_TEST(a client that leaves at any moment keeps what was finished before) {
  for (int n = 0; n <= 40; ++n) {
    const auto first = "first " + std::to_string(n);
    const auto second = "second " + std::to_string(n);
    begin_import();
    connection->listener->on_body(thread_file(first) + thread_file(second), true);
    for (int i = 0; i < n; ++i)
      sched.try_run_once();
    leave();
    for (const auto& id : {first, second})
      if (exists(id))
        CAF_REQUIRE_EQUAL(info(id).messages, 2u);
    CAF_REQUIRE(exists(first) || !exists(second));
    imported += exists(second) ? 1 : 0;
    left += exists(first) ? 0 : 1;
  }
  check_both_happened();
}

CAF_TEST(a thread that comes while an import is left is not replaced) {
  for (int n = 0; n <= 40; ++n) {
    const auto id = std::to_string(n);
    begin_import();
    connection->listener->on_body(thread_file(id), true);
    for (int i = 0; i < n; ++i)
      sched.try_run_once();
    connection->listener->on_gone();
    auto x = turn(1, id);
    x.turn.messages.push_back(message("user", "third"));
    send(aut, std::move(x));
    const bool was_stored = !inbox->last<turn_stored>().why;
    CAF_REQUIRE_EQUAL(info(id).messages, was_stored ? 3u : 2u);
    (was_stored ? left : imported) += 1;
  }
  check_both_happened();
}

CAF_TEST_FIXTURE_SCOPE_END()
