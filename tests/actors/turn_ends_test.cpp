#define CAF_SUITE turn_ends
#include "tests/actors/thread_fixture.hpp"

#include <random>

using namespace lang_agent;
using namespace lang_agent::test;
using namespace std::chrono_literals;

namespace {

/// Everything happens in any order: clients ask, ask again and leave, the upstream answers and
/// fails, threads are deleted and forked, the disk fails and is slow, conversations leave memory.
struct chaos_fixture : thread_fixture {
  struct asked_turn {
    thread_key key;
    turn_id id;
    std::shared_ptr<request_inbox> inbox;
    bool cancelled = false;

    std::size_t ends() const {
      return inbox->count<turn_committed>() + inbox->count<turn_replayed>()
             + inbox->count<turn_failed>();
    }
  };

  std::mt19937 random;
  std::vector<asked_turn> turns;
  journal_place full;

  std::size_t any(std::size_t count) {
    return random() % count;
  }

  bool one_of(std::size_t count) {
    return any(count) == 0;
  }

  thread_key any_thread() {
    return {"tenant", std::to_string(any(3))};
  }

  void ask() {
    asked_turn x{any_thread(), 0, std::make_shared<request_inbox>()};
    auto made = std::make_shared<lang_agent::turn>(request_probe(x.inbox));
    made->key = x.key;
    made->arrived = sched.clock().now();
    made->parameters.model = "m";
    made->request = {any(4), 0};
    made->is_retry = one_of(3);
    if (one_of(3))
      made->idempotency_key = std::to_string(any(6));
    made->messages = {message("user", "question " + std::to_string(turns.size()))};
    if (one_of(4))
      made->messages.insert(made->messages.begin(),
                            {message("user", "q"), message("assistant", "a")});
    x.id = made->id;
    turns.push_back(std::move(x));
    caf::anon_send(directory, std::move(made));
  }

  void leave() {
    if (turns.empty())
      return;
    auto& x = turns[turns.size() - 1 - any(std::min<std::size_t>(turns.size(), 6))];
    x.cancelled = true;
    caf::anon_send(directory, turn_cancelled{x.key, x.id});
  }

  /// The upstream ends an order; one that was cancelled may end all the same.
  void end_order() {
    auto& orders = pool->all<order_ptr>();
    if (orders.empty())
      return;
    const auto i = any(orders.size());
    switch (any(4)) {
    case 0:
      orders[i]->fail({error_kind::upstream_error, "broken"});
      break;
    case 1:
      orders[i]->fail({error_kind::context_too_long, "too long"});
      break;
    default:
      orders[i]->complete(answer_of("answer"), nullptr);
    }
    orders.erase(orders.begin() + static_cast<std::ptrdiff_t>(i));
  }

  void change_something() {
    const auto to = any_thread();
    store_change change = delete_thread{to, one_of(2) ? unix_now() : 0};
    if (one_of(3))
      change = fork_thread{any_thread(), to, {}, unix_now()};
    caf::anon_send(directory, change_thread{to, std::move(change), client_actor});
  }

  void break_or_mend() {
    if (one_of(2))
      control->broken = !control->broken && one_of(2);
    else if (full)
      full.reset();
    else
      full = fill_queue();
  }

  void step() {
    switch (any(10)) {
    case 0:
    case 1:
    case 2:
      return ask();
    case 3:
      return leave();
    case 4:
    case 5:
    case 6:
      return end_order();
    case 7:
      return one_of(3) ? change_something() : pass(std::chrono::seconds{any(400)});
    case 8:
      if (one_of(8))
        break_or_mend();
      sched.run();
      return;
    default:
      for (auto n = any(6); n > 0; --n)
        sched.try_run_once();
    }
  }

  void settle() {
    control->broken = false;
    full.reset();
    sched.run();
    while (!pool->all<order_ptr>().empty()) {
      end_order();
      sched.run();
    }
  }

  /// Whatever was in the journal's queue has given its place back.
  bool queue_is_empty() const {
    const auto place = gate->try_enter(64 * 1024 * 1024 - 1024 - 1);
    return place && !gate->is_full();
  }

  void run_seed(unsigned seed) {
    random.seed(seed);
    for (int i = 0; i < 400; ++i)
      step();
    settle();
    for (const auto& x : turns)
      if (x.ends() != 1)
        CAF_ERROR("seed " << seed << ": turn " << x.id << " of thread " << x.key.thread << " has "
                          << x.ends() << " ends");
  }

  /// What is stored has each answer behind its question.
  void check_threads() {
    for (std::size_t i = 0; i < 3; ++i) {
      const auto found = answer(list_messages{{"tenant", std::to_string(i)}, 10'000});
      const auto* messages = std::get_if<page<stored_message>>(&found);
      if (!messages)
        continue;
      CAF_REQUIRE(!messages->data.empty());
      auto last = role::assistant;
      for (const auto& x : messages->data) {
        CAF_CHECK(x.message->who != last);
        last = x.message->who;
      }
      CAF_CHECK(last == role::assistant);
    }
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(turn_ends_tests, chaos_fixture)

CAF_TEST(whatever happens each turn hears of one end) {
  std::size_t committed = 0;
  std::size_t replayed = 0;
  for (unsigned seed = 1; seed <= 60; ++seed) {
    run_seed(seed);
    check_threads();
    for (const auto& x : turns) {
      committed += x.inbox->count<turn_committed>();
      replayed += x.inbox->count<turn_replayed>();
    }
    turns.clear();
  }
  // It was no chaos of failures only.
  CAF_CHECK_GREATER(committed, 500u);
  CAF_CHECK_GREATER(replayed, 50u);
  // Nobody keeps a turn: all conversations leave memory.
  for (int i = 0; i < 310; ++i)
    pass(1s);
  CAF_CHECK_EQUAL(memory->load(), 0u);
  CAF_CHECK(queue_is_empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
