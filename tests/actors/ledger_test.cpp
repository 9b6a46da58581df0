#define CAF_SUITE ledger
#include "tests/test.hpp"

#include "actors/ledger.hpp"

#include <barrier>
#include <random>
#include <thread>

using namespace lang_agent;
using namespace std::chrono_literals;

namespace {

/// A time that stands still unless it is moved.
struct fake_time {
  moment now{std::chrono::steady_clock::time_point{1h}, 1'769'903'940'000}; // 2026-01-31 23:59 UTC

  void advance(std::chrono::milliseconds x) {
    now.steady += x;
    now.wall += x.count();
  }
};

struct ledger_fixture {
  fake_time time;
  std::vector<usage_row> records;
  std::shared_ptr<ledger> account = std::make_shared<ledger>(
      "tenant", [this](usage_row x) { records.push_back(std::move(x)); },
      [this] { return time.now; });

  std::variant<reservation_ptr, failure> reserve(std::uint64_t tokens = 0,
                                                 const std::string& key = "k") {
    return account->reserve({key, "m", {}, false, tokens});
  }

  reservation_ptr must_reserve(std::uint64_t tokens = 0, const std::string& key = "k") {
    auto out = reserve(tokens, key);
    if (const auto* why = std::get_if<failure>(&out))
      CAF_FAIL(why->message);
    return std::get<reservation_ptr>(std::move(out));
  }

  std::uint64_t tokens_left() {
    return account->rates("k").tokens->remaining;
  }

  failure must_refuse(std::uint64_t tokens = 0, const std::string& key = "k") {
    auto out = reserve(tokens, key);
    CAF_REQUIRE(std::holds_alternative<failure>(out));
    return std::get<failure>(std::move(out));
  }
};

token_usage used(std::uint64_t prompt, std::uint64_t completion) {
  return {prompt, completion, "{}", false};
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(ledger_tests, ledger_fixture)

CAF_TEST(a place comes back with the death of its reservation) {
  account->set_limits({.max_turns = 1}, {});
  auto first = must_reserve();
  CAF_CHECK_EQUAL(account->turns(), 1u);
  const auto why = must_refuse();
  CAF_CHECK(why.kind == error_kind::too_many_turns);
  CAF_CHECK_EQUAL(why.retry_after, "1");
  first.reset();
  CAF_CHECK_EQUAL(account->turns(), 0u);
  must_reserve();
}

CAF_TEST(a request that came to no upstream does not count) {
  account->set_limits({.requests_per_minute = 1}, {});
  must_reserve();
  must_reserve();
  CAF_CHECK(records.empty());
}

CAF_TEST(a request that was answered from memory counts) {
  account->set_limits({.requests_per_minute = 1}, {});
  must_reserve()->meter().ended(turn_outcome::answered);
  const auto why = must_refuse();
  CAF_CHECK(why.kind == error_kind::rate_limit_exceeded);
  CAF_CHECK_EQUAL(why.retry_after, "60");
  CAF_CHECK_EQUAL(why.retry_after_ms, "60000");
  CAF_CHECK(records.empty());
  time.advance(60s);
  must_reserve();
}

CAF_TEST(tokens that were not used go back when the real usage is known) {
  account->set_limits({.tokens_per_minute = 1000}, {});
  auto x = must_reserve(900);
  CAF_CHECK(must_refuse(200).kind == error_kind::rate_limit_exceeded);
  x->meter().attempt_begins(100);
  x->meter().completed(used(120, 80));
  x->meter().ended(turn_outcome::answered);
  x.reset();
  CAF_CHECK_EQUAL(tokens_left(), 800u);
  CAF_REQUIRE_EQUAL(records.size(), 1u);
  CAF_CHECK_EQUAL(records[0].counts.prompt_tokens, 120u);
  CAF_CHECK_EQUAL(records[0].counts.completion_tokens, 80u);
  CAF_CHECK_EQUAL(records[0].counts.estimated, 0u);
  CAF_CHECK_EQUAL(records[0].counts.failed, 0u);
  CAF_CHECK_EQUAL(records[0].key.tenant + records[0].key.key + records[0].key.model, "tenantkm");
  CAF_CHECK_EQUAL(records[0].key.day, 20484);
}

CAF_TEST(a turn that is cut off is charged for what it had) {
  account->set_limits({.tokens_per_minute = 1000}, {});
  auto x = must_reserve(500);
  x->meter().attempt_begins(100);
  x->meter().answer_grows(39);
  x->meter().ended(turn_outcome::cancelled);
  x.reset();
  CAF_REQUIRE_EQUAL(records.size(), 1u);
  CAF_CHECK_EQUAL(records[0].counts.prompt_tokens, 100u);
  CAF_CHECK_EQUAL(records[0].counts.completion_tokens, 10u);
  CAF_CHECK_EQUAL(records[0].counts.estimated, 1u);
  CAF_CHECK_EQUAL(records[0].counts.cancelled, 1u);
  CAF_CHECK_EQUAL(tokens_left(), 890u);
}

CAF_TEST(an attempt that failed before its answer began costs nothing) {
  account->set_limits({.tokens_per_minute = 1000, .tokens_per_day = 1000}, {});
  auto x = must_reserve(500);
  x->meter().attempt_begins(100);
  x->meter().attempt_was_free();
  x->meter().ended(turn_outcome::failed);
  x.reset();
  CAF_CHECK_EQUAL(tokens_left(), 1000u);
  CAF_REQUIRE_EQUAL(records.size(), 1u);
  CAF_CHECK_EQUAL(records[0].counts.prompt_tokens, 0u);
  must_reserve(1000);
}

CAF_TEST(what is recorded with its turn is not recorded twice) {
  auto x = must_reserve();
  x->meter().attempt_begins(1);
  x->recorded();
  x.reset();
  CAF_CHECK(records.empty());
}

CAF_TEST(the whole prompt is held when it is known) {
  account->set_limits({.tokens_per_minute = 1000}, {});
  const auto x = must_reserve(100);
  CAF_CHECK(!x->hold_tokens(700));
  CAF_CHECK_EQUAL(tokens_left(), 300u);
  CAF_CHECK(!x->hold_tokens(50)); // less than it has
  CAF_CHECK_EQUAL(tokens_left(), 300u);
  const auto y = must_reserve(100);
  const auto why = y->hold_tokens(301);
  CAF_REQUIRE(why.has_value());
  CAF_CHECK(why->kind == error_kind::rate_limit_exceeded);
  CAF_CHECK_EQUAL(tokens_left(), 200u);
}

CAF_TEST(a prompt that turns out to be too long for any minute is told so) {
  account->set_limits({.tokens_per_minute = 1000}, {});
  const auto x = must_reserve(100);
  const auto why = x->hold_tokens(1001);
  CAF_REQUIRE(why.has_value());
  CAF_CHECK(why->is_final);
  CAF_CHECK_EQUAL(tokens_left(), 900u);
}

CAF_TEST(connections have places too) {
  account->set_limits({.max_connections = 2}, {});
  auto a = account->take_connection();
  const auto b = account->take_connection();
  CAF_CHECK(a && b);
  CAF_CHECK(!account->take_connection());
  a.reset();
  CAF_CHECK(account->take_connection());
  CAF_CHECK_EQUAL(account->connections(), 1u);
}

CAF_TEST(a request that can never fit is not worth a retry) {
  account->set_limits({.tokens_per_minute = 1000}, {});
  const auto why = must_refuse(1001);
  CAF_CHECK(why.kind == error_kind::rate_limit_exceeded);
  CAF_CHECK(why.is_final);
  CAF_CHECK(why.retry_after.empty());
}

CAF_TEST(a budget that is used up names the day and comes back with the next) {
  account->set_limits({.tokens_per_day = 100}, {});
  auto x = must_reserve(100);
  const auto why = must_refuse(1);
  CAF_CHECK(why.kind == error_kind::insufficient_quota);
  CAF_CHECK(why.message.find("100 tokens for this day") != std::string::npos);
  CAF_CHECK_EQUAL(why.retry_after, "60");
  x.reset();
  must_reserve(100);
}

CAF_TEST(money is counted by the prices of prompt and answer) {
  const token_price price{2'000'000, 8'000'000}; // 2 and 8 for a million tokens
  account->set_limits({.cost_per_month = 10'000}, {});
  auto out = account->reserve({"k", "m", price, false, 100});
  auto x = std::get<reservation_ptr>(out);
  out = failure{};
  x->meter().attempt_begins(1000);
  x->meter().completed(used(1000, 500));
  x.reset();
  CAF_REQUIRE_EQUAL(records.size(), 1u);
  CAF_CHECK_EQUAL(records[0].counts.cost, 6000); // 0.002 and 0.004
  const auto more = account->reserve({"k", "m", price, false, 501});
  CAF_REQUIRE(std::holds_alternative<failure>(more));
  CAF_CHECK(std::get<failure>(more).kind == error_kind::insufficient_quota);
}

CAF_TEST(each key has limits of its own beside those of its tenant) {
  account->set_limits({.max_turns = 3}, {.max_turns = 2});
  const auto a = must_reserve(0, "a");
  const auto b = must_reserve(0, "a");
  CAF_CHECK(must_refuse(0, "a").message.find("your API key") != std::string::npos);
  const auto c = must_reserve(0, "b");
  CAF_CHECK(must_refuse(0, "b").message.find("your account") != std::string::npos);
}

CAF_TEST(the tighter limit is told) {
  account->set_limits({.requests_per_minute = 100}, {.requests_per_minute = 10});
  const auto x = must_reserve(0, "a");
  CAF_CHECK_EQUAL(x->left().requests->limit, 10u);
  CAF_CHECK_EQUAL(x->left().requests->remaining, 9u);
  account->set_limits({.requests_per_minute = 5}, {});
  CAF_CHECK_EQUAL(std::uint64_t{account->rates("a").requests->limit}, 5u);
}

CAF_TEST(what is used outlives a change of limits) {
  account->set_limits({.tokens_per_day = 100}, {});
  const auto x = must_reserve(80);
  account->set_limits({.max_turns = 1, .tokens_per_day = 90}, {});
  CAF_CHECK(must_refuse(1).kind == error_kind::too_many_turns);
  account->set_limits({.tokens_per_day = 90}, {});
  CAF_CHECK(must_refuse(11).kind == error_kind::insufficient_quota);
  must_reserve(10);
}

CAF_TEST(the first request of a key finds its limit whole although time goes on) {
  const auto running = std::make_shared<ledger>("tenant", ledger::recorder{}, [this] {
    time.advance(1ms);
    return time.now;
  });
  running->set_limits({}, {.requests_per_minute = 1});
  const auto first = running->reserve({"k", "m", {}, false, 0});
  CAF_CHECK(std::holds_alternative<reservation_ptr>(first));
  const auto left = running->rates("k");
  CAF_CHECK_EQUAL(left.requests->remaining, 0u);
  const auto others = running->rates("other");
  CAF_CHECK_EQUAL(others.requests->remaining, 1u);
}

CAF_TEST(a key with limits of its own has those instead of the ones of each key) {
  account->set_limits({}, {.max_turns = 1}, {{"special", {.max_turns = 2}}});
  std::vector<reservation_ptr> held;
  held.push_back(must_reserve(0, "special"));
  held.push_back(must_reserve(0, "special"));
  must_refuse(0, "special");
  held.push_back(must_reserve(0, "other"));
  must_refuse(0, "other");
  account->set_limits({}, {.max_turns = 1});
  held.clear();
  held.push_back(must_reserve(0, "special"));
  must_refuse(0, "special");
}

CAF_TEST_FIXTURE_SCOPE_END()

namespace {

/// What many threads did to a ledger at once.
struct onslaught {
  std::size_t turns = 0; ///< the limit
  std::size_t streams = 0;
  std::atomic<std::size_t> admitted{0};
  std::atomic<std::size_t> running{0};
  std::atomic<std::size_t> streaming{0};
  std::atomic<bool> broken{false};

  void run(const std::shared_ptr<ledger>& account, unsigned seed, int attempts) {
    std::mt19937 random{seed};
    std::vector<std::pair<reservation_ptr, bool>> mine;
    for (int i = 0; i < attempts; ++i) {
      const bool stream = random() % 2 == 0;
      auto got = account->reserve({"k" + std::to_string(random() % 3), "m", {}, stream, 10});
      if (auto* place = std::get_if<reservation_ptr>(&got)) {
        ++admitted;
        const bool too_many = ++running > turns || (stream && ++streaming > streams);
        if (too_many)
          broken = true;
        mine.emplace_back(std::move(*place), stream);
      }
      if (!mine.empty() && random() % 3 == 0)
        drop(mine);
    }
    while (!mine.empty())
      drop(mine);
  }

private:
  void drop(std::vector<std::pair<reservation_ptr, bool>>& mine) {
    // Counted before it is over: never less than there are.
    --running;
    streaming -= mine.back().second;
    mine.back().first->meter().attempt_begins(1);
    mine.pop_back();
  }
};

template <class Run>
void on_threads(unsigned count, Run run) {
  std::barrier start{static_cast<std::ptrdiff_t>(count)};
  std::vector<std::thread> all;
  for (unsigned i = 0; i < count; ++i)
    all.emplace_back([&, i] {
      start.arrive_and_wait();
      run(i);
    });
  for (auto& x : all)
    x.join();
}

} // namespace

CAF_TEST(ten thousand attempts at once never get a place too many and lose none) {
  const auto account = std::make_shared<ledger>("tenant");
  account->set_limits({.max_turns = 7, .max_streams = 4}, {});
  onslaught all;
  all.turns = 7;
  all.streams = 4;
  on_threads(8, [&](unsigned i) { all.run(account, i, 1250); });
  CAF_CHECK(!all.broken);
  CAF_CHECK_GREATER(all.admitted.load(), 0u);
  CAF_CHECK_EQUAL(account->turns(), 0u);
  // Every place is there again.
  std::vector<std::variant<reservation_ptr, failure>> places;
  for (int i = 0; i < 8; ++i)
    places.push_back(account->reserve({"k", "m", {}, i < 4, 0}));
  CAF_CHECK_EQUAL(
      std::count_if(places.begin(), places.end(),
                    [](const auto& x) { return std::holds_alternative<reservation_ptr>(x); }),
      7);
}

CAF_TEST(a budget is never exceeded by a single token however many ask at once) {
  const moment frozen{std::chrono::steady_clock::time_point{1h}, 1'769'903'940'000};
  std::atomic<std::uint64_t> spent{0};
  const auto account = std::make_shared<ledger>(
      "tenant",
      [&](const usage_row& x) { spent += x.counts.prompt_tokens + x.counts.completion_tokens; },
      [&] { return frozen; });
  account->set_limits({.requests_per_minute = 900, .tokens_per_day = 5000}, {});
  std::atomic<std::size_t> admitted{0};
  on_threads(8, [&](unsigned seed) {
    std::mt19937 random{seed};
    for (int i = 0; i < 1250; ++i) {
      const auto wanted = 1 + random() % 20;
      auto got = account->reserve({"k", "m", {}, false, wanted});
      auto* place = std::get_if<reservation_ptr>(&got);
      if (!place)
        continue;
      ++admitted;
      (*place)->meter().attempt_begins(0);
      (*place)->meter().completed(used(random() % (wanted + 1), 0));
    }
  });
  CAF_CHECK_LESS_OR_EQUAL(admitted.load(), 900u);
  CAF_CHECK_LESS_OR_EQUAL(spent.load(), 5000u);
  const std::uint64_t left = account->rates("k").requests->remaining;
  CAF_CHECK_EQUAL(left, 900u - admitted.load());
}
