#define CAF_SUITE conversation_storage
#include "tests/actors/conversation_fixture.hpp"

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

struct storage_fixture : conversation_fixture {
  /// The last failure is that of a store that is too slow.
  bool is_too_slow() {
    const auto& why = requester->last<turn_failed>().why;
    return why.kind == error_kind::storage_unavailable && why.http_status() == 503
           && !why.retry_after.empty();
  }

  std::size_t taken() const {
    return memory->load();
  }

  /// A turn of a tenant that may have 2 threads and 100 bytes.
  turn_id say_within_limits(const std::string& text) {
    auto x = make_turn(R"([{"role":"user","content":")" + text + R"("}])");
    x->storage = {2, 100};
    const auto id = x->id;
    send(aut, std::move(x));
    return id;
  }

  /// The journal knows no such thread, and its tenant has that.
  void load_new(const tenant_totals& totals) {
    journal->last<load_thread>().place = {};
    send(aut, thread_loaded{{}, nullptr, totals});
  }

  error_kind refused() {
    return requester->last<turn_failed>().why.kind;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(conversation_storage_tests, storage_fixture)

CAF_TEST(a thread is not loaded while the queue to the journal is full) {
  start();
  auto full = fill_queue();
  say("one");
  CAF_CHECK_EQUAL(journal->count<load_thread>(), 0u);
  CAF_REQUIRE_EQUAL(requester->count<turn_failed>(), 1u);
  CAF_CHECK(is_too_slow());
  full.reset();
  say("two");
  CAF_CHECK_EQUAL(journal->count<load_thread>(), 1u);
  load();
  CAF_CHECK_EQUAL(orders(), 1u);
}

CAF_TEST(nothing is ordered while the queue to the journal is full) {
  start_loaded();
  auto full = fill_queue();
  say("one");
  CAF_CHECK_EQUAL(orders(), 0u);
  CAF_REQUIRE_EQUAL(requester->count<turn_failed>(), 1u);
  CAF_CHECK(is_too_slow());
  full.reset();
  say("two");
  CAF_CHECK_EQUAL(orders(), 1u);
}

CAF_TEST(all that wait hear that the queue to the journal is full) {
  start_loaded();
  const auto id = say("one");
  say("two");
  say("three");
  auto full = fill_queue();
  fail(id);
  CAF_CHECK_EQUAL(requester->count<turn_failed>(), 3u);
  CAF_CHECK(is_too_slow());
  CAF_CHECK_EQUAL(orders(), 1u);
}

CAF_TEST(a turn that finds the queue full when it is done is failed and leaves no trace) {
  start_loaded();
  const auto id = say("one");
  auto full = fill_queue();
  complete(id, "1");
  CAF_CHECK_EQUAL(stores(), 0u);
  CAF_REQUIRE_EQUAL(requester->count<turn_failed>(), 1u);
  CAF_CHECK(is_too_slow());
  CAF_CHECK_EQUAL(requester->count<turn_committed>(), 0u);
  full.reset();
  say("two");
  CAF_CHECK_EQUAL(order().prompt.size(), 1u);
}

CAF_TEST(what waits for the journal counts with its size) {
  start_loaded();
  const auto id = say("one");
  complete(id, std::string(2 * 1024 * 1024, 'x'));
  CAF_CHECK_EQUAL(stores(), 1u);
  CAF_CHECK(gate->is_full());
  journal->all<store_turn>().clear();
  CAF_CHECK(!gate->is_full());
}

CAF_TEST(a stateless turn needs no journal) {
  start(true);
  auto full = fill_queue();
  const auto id = say("hi", {"key", true});
  complete(id, "hello");
  CAF_CHECK_EQUAL(requester->count<turn_committed>(), 1u);
}

CAF_TEST(a turn whose thread was changed meanwhile is failed and the thread loaded anew) {
  start_loaded();
  const auto id = say("one");
  say("two");
  complete(id, "1");
  not_stored(id, {error_kind::thread_changed, "changed"});
  CAF_REQUIRE_EQUAL(requester->count<turn_failed>(), 1u);
  CAF_CHECK_EQUAL(requester->last<turn_failed>().why.http_status(), 409);
  CAF_CHECK_EQUAL(orders(), 1u);
  CAF_REQUIRE_EQUAL(journal->count<load_thread>(), 2u);
  load(messages_of(R"([{"role":"user","content":"other"},{"role":"assistant","content":"x"}])"));
  CAF_REQUIRE_EQUAL(orders(), 2u);
  CAF_CHECK(asks_for("two"));
  CAF_CHECK(asks_for("other"));
  CAF_CHECK(!asks_for("one"));
}

CAF_TEST(the answer about storing a turn that is over changes nothing) {
  start_loaded();
  const auto id = say("one");
  send(aut, turn_stored{id + 1000, nullptr});
  CAF_CHECK_EQUAL(requester->count<turn_committed>(), 0u);
  complete(id, "1");
  CAF_CHECK_EQUAL(stores(), 1u);
}

CAF_TEST(the memory that is taken grows with the thread and shrinks with it) {
  start();
  const auto empty = taken();
  CAF_CHECK_GREATER(empty, 0u);
  const auto first = say("one");
  const std::string text(10'000, 'x');
  load({message("user", text), message("assistant", text)});
  const auto loaded = taken();
  CAF_CHECK_GREATER(loaded, empty + 20'000);
  complete(first, text);
  CAF_CHECK_EQUAL(taken(), loaded);
  stored(first);
  const auto grown = taken();
  CAF_CHECK_GREATER(grown, loaded + 10'000);
  // An edit of the first question drops what followed.
  const auto edit =
      ask(R"([{"role":"user","content":")" + text + R"("},{"role":"assistant","content":")" + text
          + R"("},{"role":"user","content":"edited"}])");
  complete(edit, "brief");
  stored(edit);
  CAF_CHECK_LESS(taken(), grown - 9'000);
  CAF_CHECK_GREATER(taken(), loaded);
  erase();
  CAF_CHECK_EQUAL(taken(), empty);
  kill(aut);
  CAF_CHECK_EQUAL(taken(), 0u);
}

CAF_TEST(instructions take memory once) {
  start();
  const std::string text(10'000, 'x');
  const auto say_with = [&](const std::string& instructions) {
    return ask(R"([{"role":"system","content":")" + instructions
               + R"("},{"role":"user","content":"hi"}])");
  };
  const auto first = say_with(text);
  load();
  complete(first, "hello");
  stored(first);
  const auto once = taken();
  const auto second = say_with(text + "y");
  complete(second, "hello");
  stored(second);
  CAF_CHECK_LESS(taken(), once + 5'000);
  const auto third = say_with("brief");
  complete(third, "hello");
  stored(third);
  CAF_CHECK_LESS(taken(), once - 5'000);
}

CAF_TEST(the upstream is not asked for a turn that would make a thread too many) {
  start();
  say_within_limits("one");
  say_within_limits("two");
  load_new({2, 0});
  CAF_CHECK(refused() == error_kind::too_many_threads);
  CAF_CHECK_EQUAL(requester->count<turn_failed>(), 1u);
  load_new({1, 0}); // one was deleted: the second turn finds room
  CAF_CHECK_EQUAL(journal->count<load_thread>(), 2u);
  CAF_CHECK_EQUAL(orders(), 1u);
  CAF_CHECK(asks_for("two"));
}

CAF_TEST(a new thread is looked at again after a turn that failed) {
  start();
  const auto id = say_within_limits("one");
  load_new({1, 0});
  fail(id);
  say_within_limits("two");
  load_new({2, 0});
  CAF_CHECK(refused() == error_kind::too_many_threads);
  CAF_CHECK_EQUAL(orders(), 1u);
}

CAF_TEST(the upstream is not asked for a turn of a tenant whose storage is full) {
  start();
  say_within_limits("one");
  journal->last<load_thread>().place = {};
  send(aut, thread_loaded{{1, {}, {}, 0}, nullptr, {1, 100}});
  CAF_CHECK(refused() == error_kind::too_many_bytes);
  const auto id = say_within_limits("two");
  send(aut, thread_loaded{{1, {}, {}, 0}, nullptr, {9, 99}});
  CAF_CHECK_EQUAL(orders(), 1u); // the thread is not new: their number does not matter
  complete(id, "2");
  CAF_CHECK_EQUAL(stores(), 1u);
}

CAF_TEST(what the tenant had when a thread was loaded is soon forgotten) {
  start();
  auto retry = make_turn(R"([{"role":"user","content":"one"}])", {"key"});
  retry->storage = {2, 100};
  const auto id = retry->id;
  send(aut, std::move(retry));
  send(aut, thread_loaded{{1, {}, {}, 0}, nullptr, {1, 100}});
  journal->last<find_answer>().place = {};
  send(aut, answer_found{id, {"{}"}, nullptr});
  CAF_CHECK_EQUAL(requester->count<turn_replayed>(), 1u);
  say_within_limits("two"); // others may have made room meanwhile
  CAF_CHECK_EQUAL(requester->count<turn_failed>(), 0u);
  CAF_CHECK_EQUAL(orders(), 1u);
}

CAF_TEST_FIXTURE_SCOPE_END()
