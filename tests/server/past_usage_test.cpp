#define CAF_SUITE past_usage
#include "tests/test.hpp"

#include "server/past_usage.hpp"
#include "store/memory_store.hpp"

using namespace lang_agent;

namespace {

/// 2026-01-31 23:59 UTC.
constexpr unix_ms now = 1'769'903'940'000;
constexpr std::int32_t today = 20484;

usage_row row(const std::string& tenant, const std::string& key, std::int32_t day,
              std::uint64_t tokens) {
  usage_counts counts;
  counts.requests = 1;
  counts.prompt_tokens = tokens;
  counts.cost = static_cast<std::int64_t>(2 * tokens);
  return {{tenant, key, "m", day}, counts};
}

struct past_usage_fixture {
  std::unique_ptr<store::thread_store> store = std::make_unique<store::memory_store>();

  void put(std::vector<usage_row> rows) {
    const std::vector<store_change> changes{add_usage{std::move(rows)}};
    store->commit(changes);
  }

  /// What is left of the budget of a new account, of the tenant or of the key.
  bool may_hold(const usage_limits& tenant, const usage_limits& key, std::uint64_t tokens,
                token_price price = {}) {
    const auto account = std::make_shared<ledger>("a", nullptr, [] {
      return moment{std::chrono::steady_clock::now(), now};
    });
    account->set_limits(tenant, key);
    past_usage{*store, now}.restore(*account, "a");
    return std::holds_alternative<reservation_ptr>(
        account->reserve({"k", "m", price, false, tokens}));
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(past_usage_tests, past_usage_fixture)

CAF_TEST(a budget of the day goes on with what was used today) {
  put({row("a", "k", today, 40), row("a", "k2", today, 20), row("a", "k", today - 1, 1000),
       row("b", "k", today, 1000)});
  CAF_CHECK(may_hold({.tokens_per_day = 100}, {}, 40));
  CAF_CHECK(!may_hold({.tokens_per_day = 100}, {}, 41));
  CAF_CHECK(may_hold({}, {.tokens_per_day = 100}, 60));
  CAF_CHECK(!may_hold({}, {.tokens_per_day = 100}, 61));
}

CAF_TEST(a budget of the month goes on with what was used since the first) {
  put({row("a", "k", today - 30, 40), row("a", "k", today - 31, 1000), row("a", "k", today, 10)});
  CAF_CHECK(may_hold({.tokens_per_month = 100}, {}, 50));
  CAF_CHECK(!may_hold({.tokens_per_month = 100}, {}, 51));
  CAF_CHECK(may_hold({.cost_per_month = 101}, {}, 1, {0, 1'000'000}));
  CAF_CHECK(!may_hold({.cost_per_month = 100}, {}, 1, {0, 1'000'000}));
}

CAF_TEST(a month of many rows is read in pages) {
  std::vector<usage_row> rows;
  for (int i = 0; i < 2500; ++i)
    rows.push_back(row("a", "k" + std::to_string(i), today, 1));
  put(std::move(rows));
  CAF_CHECK(may_hold({.tokens_per_day = 2600}, {}, 100));
  CAF_CHECK(!may_hold({.tokens_per_day = 2600}, {}, 101));
}

CAF_TEST(what was used before the month turned is not charged to the new one) {
  put({row("a", "k", today, 100)});
  const past_usage past{*store, now};
  constexpr unix_ms day = 24 * 60 * 60 * 1000;
  const auto account = std::make_shared<ledger>("a", nullptr, [] {
    return moment{std::chrono::steady_clock::now(), now + 40 * day};
  });
  account->set_limits({.tokens_per_month = 100}, {});
  past.restore(*account, "a");
  CAF_CHECK(std::holds_alternative<reservation_ptr>(account->reserve({"k", "m", {}, false, 100})));
}

CAF_TEST_FIXTURE_SCOPE_END()
