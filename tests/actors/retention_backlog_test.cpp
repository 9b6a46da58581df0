/// Expired threads in a real store, behind a real directory: they go, and soon.
#define CAF_SUITE retention_backlog
#include "tests/actors/thread_fixture.hpp"

#include "actors/retention.hpp"

#include <set>

using namespace lang_agent;
using namespace lang_agent::test;
using namespace std::chrono_literals;

namespace {

struct backlog_fixture : thread_fixture {
  retention_actor aut;

  ~backlog_fixture() {
    kill(aut);
  }

  void begin() {
    aut = adopt(
        spawn_retention(sys, {{"tenant", 1h}}, one_shard(directory), {journal_fixture::aut, gate}));
  }

  /// Stores a thread whose last turn is so old.
  void put_old(const std::string& id, std::chrono::milliseconds age = 2h) {
    auto x = turn(1, id);
    x.turn.at = unix_now() - age.count();
    send(journal_fixture::aut, std::move(x));
  }

  void put_backlog(int count) {
    for (int i = 0; i < count; ++i)
      put_old(std::to_string(i));
  }

  std::set<std::string> left() {
    std::set<std::string> out;
    const auto found = answer(list_threads{"tenant", 2000, true});
    for (const auto& x : std::get<page<thread_info>>(found).data)
      out.insert(x.id);
    return out;
  }

  /// Lets time pass until so many threads are left; returns how many steps that took.
  int steps_until(std::size_t count) {
    int steps = 0;
    while (left().size() > count && ++steps < 200)
      pass(50ms);
    return steps;
  }
};

using ids = std::set<std::string>;

} // namespace

CAF_TEST_FIXTURE_SCOPE(retention_backlog_tests, backlog_fixture)

CAF_TEST(a backlog of expired threads goes in one pass) {
  put_backlog(1000);
  begin();
  CAF_CHECK_LESS(steps_until(0), 40);
  CAF_CHECK(left().empty());
  CAF_CHECK_EQUAL(memory->load(), 0u); // none of them had to come into memory
}

CAF_TEST(threads that are not expired stay among those that go) {
  ids young;
  for (int i = 0; i < 700; ++i) {
    put_old(std::to_string(i), i % 7 == 0 ? 1min : 2h);
    if (i % 7 == 0)
      young.insert(std::to_string(i));
  }
  begin();
  CAF_CHECK_LESS(steps_until(young.size()), 40);
  CAF_CHECK(left() == young);
  for (int i = 0; i < 20; ++i)
    pass(50ms);
  CAF_CHECK(left() == young);
}

CAF_TEST(busy threads do not stop the others) {
  put_backlog(1000);
  const ids busy{"0", "100", "255", "256", "511", "600", "999"};
  for (const auto& id : busy)
    run_turn(id);
  begin();
  CAF_CHECK_LESS(steps_until(busy.size()), 60);
  CAF_CHECK(left() == busy);
  CAF_CHECK_EQUAL(requester->count<turn_failed>(), 0u);
  // When their turns are over, they are not expired.
  for (auto& order : pool->all<order_ptr>())
    order->complete(answer_of("done"), nullptr);
  pool->all<order_ptr>().clear();
  sched.run();
  CAF_CHECK_EQUAL(requester->count<turn_committed>(), busy.size());
  for (int i = 0; i < 10; ++i)
    pass(1min);
  CAF_CHECK(left() == busy);
}

CAF_TEST(a thread that was busy goes in a later pass when its turn came to nothing) {
  put_backlog(3);
  run_turn("1");
  begin();
  CAF_CHECK_LESS(steps_until(1), 20);
  CAF_CHECK(left() == ids{"1"});
  pool->last<order_ptr>()->fail({error_kind::upstream_error, "broken"});
  pool->all<order_ptr>().clear();
  for (int i = 0; i < 10; ++i)
    pass(1min);
  CAF_CHECK(left().empty());
}

CAF_TEST(threads that expire later are found by later passes) {
  put_old("young", 59min);
  put_backlog(300);
  begin();
  CAF_CHECK_LESS(steps_until(1), 20);
  CAF_CHECK(left() == ids{"young"});
  put_backlog(300);
  for (int i = 0; i < 10; ++i)
    pass(1min);
  CAF_CHECK_LESS(steps_until(1), 20);
  CAF_CHECK(left() == ids{"young"});
}

CAF_TEST(a store that fails for a while keeps no thread for ever) {
  put_backlog(300);
  control->broken = true;
  begin();
  for (int i = 0; i < 10; ++i)
    pass(50ms);
  control->broken = false;
  CAF_CHECK_EQUAL(left().size(), 300u);
  for (int i = 0; i < 5; ++i)
    pass(1min);
  CAF_CHECK_LESS(steps_until(0), 20);
  CAF_CHECK(left().empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
