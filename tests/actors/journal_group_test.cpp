#define CAF_SUITE journal_group
#include "tests/actors/journal_fixture.hpp"

using namespace lang_agent;
using namespace lang_agent::test;
using namespace std::chrono_literals;

namespace {

using sizes = std::vector<std::size_t>;

} // namespace

CAF_TEST_FIXTURE_SCOPE(journal_group_tests, journal_fixture)

CAF_TEST(changes that wait together are committed together) {
  start();
  for (turn_id id = 1; id <= 5; ++id)
    queue(turn(id));
  queue_change(import_messages{"import", {}});
  sched.run();
  CAF_CHECK_EQUAL(control->commits, sizes{6});
  CAF_CHECK_EQUAL(inbox->count<turn_stored>(), 5u);
  CAF_CHECK_EQUAL(client->count<store_answer>(), 1u);
}

CAF_TEST(an idle journal commits at once) {
  start();
  send(aut, turn(1));
  send(aut, turn(2));
  CAF_CHECK_EQUAL(control->commits, (sizes{1, 1}));
}

CAF_TEST(a group has a bound) {
  start();
  for (turn_id id = 1; id <= 600; ++id)
    queue(turn(id));
  sched.run();
  std::size_t sum = 0;
  for (const auto n : control->commits) {
    CAF_CHECK_LESS_OR_EQUAL(n, 512u);
    sum += n;
  }
  CAF_CHECK_EQUAL(sum, 600u);
  CAF_CHECK_LESS_OR_EQUAL(control->commits.size(), 3u);
  CAF_CHECK_EQUAL(inbox->count<turn_stored>(), 600u);
}

CAF_TEST(one that cannot be stored harms no other of its group) {
  control->is_bad = [](const store_change& x) {
    const auto* record = std::get_if<turn_record>(&x);
    return record && record->key.thread == "thread 2";
  };
  start();
  for (turn_id id = 1; id <= 3; ++id)
    queue(turn(id));
  sched.run();
  CAF_CHECK_EQUAL(control->commits, (sizes{3, 1, 1, 1}));
  CAF_CHECK(!stored(1).why);
  CAF_REQUIRE(stored(2).why);
  CAF_CHECK(stored(2).why->kind == error_kind::storage_unavailable);
  CAF_CHECK(!stored(3).why);
  CAF_CHECK_EQUAL(inbox->count<turn_stored>(), 3u);
  CAF_CHECK(exists("thread 1"));
  CAF_CHECK(!exists("thread 2"));
  CAF_CHECK(exists("thread 3"));
}

CAF_TEST(a refused turn is told why and harms no other) {
  start();
  send(aut, turn(1, "thread"));
  auto same_key = [&](turn_id id) {
    auto x = turn(id);
    x.turn.idempotency_key = "k";
    x.turn.answer = "{}";
    return x;
  };
  queue(turn(2, "thread", 7)); // of a version that the thread never had
  queue(turn(3));
  queue(same_key(4));
  queue(same_key(5));
  sched.run();
  CAF_CHECK_EQUAL(control->commits, (sizes{1, 4}));
  CAF_REQUIRE(stored(2).why);
  CAF_CHECK(stored(2).why->kind == error_kind::thread_changed);
  CAF_CHECK(!stored(3).why);
  CAF_CHECK(!stored(4).why);
  CAF_REQUIRE(stored(5).why);
  CAF_CHECK(stored(5).why->kind == error_kind::idempotency_key_conflict);
}

CAF_TEST(a refused change is told as it is) {
  start();
  send(aut, change_thread{key, delete_thread{key}, client_actor, conversation});
  const auto& result = std::get<change_result>(client->last<store_answer>().result);
  CAF_REQUIRE(std::holds_alternative<refusal>(result));
  CAF_CHECK(std::get<refusal>(result) == refusal::no_thread);
  CAF_CHECK_EQUAL(inbox->count<thread_changed>(), 1u);
}

CAF_TEST(reads do not see what is not committed yet) {
  start();
  queue(turn(1, "thread"));
  queue(load_thread{key, {}, conversation});
  queue(ask_store{find_thread{key}, client_actor});
  sched.run();
  CAF_CHECK_EQUAL(inbox->last<thread_loaded>().record.version, 0u);
  CAF_CHECK(std::holds_alternative<std::monostate>(
      std::get<query_result>(client->last<store_answer>().result)));
  CAF_CHECK(exists("thread"));
}

CAF_TEST(whoever asks after a deletion was sent does not see what it deletes) {
  start();
  send(aut, turn(1, "thread"));
  queue(change_thread{key, delete_thread{key}});
  queue(load_thread{key, {}, conversation});
  queue(ask_store{find_thread{key}, client_actor});
  sched.run();
  CAF_CHECK_EQUAL(inbox->last<thread_loaded>().record.version, 0u);
  CAF_CHECK(std::holds_alternative<std::monostate>(
      std::get<query_result>(client->last<store_answer>().result)));
}

CAF_TEST(a group that waits is committed when the journal ends) {
  start();
  queue(turn(1));
  queue(turn(2));
  sched.run_once(); // both are taken
  caf::anon_send_exit(aut, caf::exit_reason::user_shutdown);
  sched.run();
  CAF_CHECK_EQUAL(inbox->count<turn_stored>(), 2u);
  std::size_t sum = 0;
  for (const auto n : control->commits)
    sum += n;
  CAF_CHECK_EQUAL(sum, 2u);
}

CAF_TEST(clearing up starts after its interval and looks back as far as the window) {
  options.sweep_interval = 5s;
  options.replay_window = 1h;
  start();
  CAF_CHECK_EQUAL(control->sweeps, 0u);
  pass(5s);
  CAF_CHECK_EQUAL(control->sweeps, 1u);
  CAF_CHECK_LESS_OR_EQUAL(control->swept_before, unix_now() - 3'600'000);
  CAF_CHECK_GREATER(control->swept_before, unix_now() - 3'660'000);
  pass(4s);
  CAF_CHECK_EQUAL(control->sweeps, 1u);
  pass(1s);
  CAF_CHECK_EQUAL(control->sweeps, 2u);
}

CAF_TEST(clearing up goes on while there is more and lets others pass) {
  options.sweep_interval = 5s;
  control->sweeps_with_more = 10;
  sizes commits_so_far;
  start();
  // A turn comes with the first sweep; it is stored long before the last one.
  control->on_sweep = [&] {
    commits_so_far.push_back(control->commits.size());
    if (control->sweeps == 1)
      queue(turn(1));
  };
  pass(5s);
  CAF_CHECK_EQUAL(control->sweeps, 11u);
  CAF_REQUIRE_EQUAL(commits_so_far.size(), 11u);
  CAF_CHECK_EQUAL(commits_so_far[3], 1u);
  CAF_CHECK_EQUAL(inbox->count<turn_stored>(), 1u);
  CAF_CHECK_EQUAL(control->commits, sizes{1});
  control->on_sweep = [] {};
}

CAF_TEST(clearing up that fails is tried again later) {
  options.sweep_interval = 5s;
  start();
  control->broken = true;
  pass(5s);
  CAF_CHECK_EQUAL(control->sweeps, 1u);
  pass(5s);
  CAF_CHECK_EQUAL(control->sweeps, 2u);
  control->broken = false;
  send(aut, turn(1));
  CAF_CHECK(!stored(1).why);
}

CAF_TEST_FIXTURE_SCOPE_END()
