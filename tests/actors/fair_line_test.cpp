#define CAF_SUITE fair_line
#include "tests/actors/waiting_orders.hpp"

#include "actors/fair_line.hpp"

#include <algorithm>
#include <cstdlib>
#include <random>

using namespace lang_agent;
using namespace lang_agent::test;
using namespace std::chrono_literals;
using enum fair_line::verdict;

namespace {

fair_line::verdict anybody(const llm_order&) {
  return goes;
}

/// Orders that refuse upstream 0 may not go: it is the only one with a place.
fair_line::verdict some(const llm_order& x) {
  return x.refusing.empty() ? goes : waits;
}

struct fixture {
  fair_line aut;
  std::map<std::string, share_ptr> shares;
  time_point now = time_point{} + 1h;

  share_ptr share(const std::string& tenant) {
    auto& x = shares[tenant];
    if (!x)
      x = share_for(tenant);
    return x;
  }

  fair_line::place push(const std::string& tenant, std::int64_t tokens = 600,
                        bool is_stuck = false) {
    auto x = order_of(share(tenant), tokens, now);
    if (is_stuck)
      x->refusing = {0};
    return aut.push(std::move(x));
  }

  void push_many(const std::string& tenant, int count, std::int64_t tokens = 600,
                 bool is_stuck = false) {
    for (int i = 0; i < count; ++i)
      push(tenant, tokens, is_stuck);
  }

  /// Whose turn it was; empty: nobody's.
  std::string take(const fair_line::judge& ask = anybody) {
    const auto x = aut.take(now, ask);
    return x ? x->share->tenant : "";
  }

  std::string take_all(int count) {
    std::string out;
    for (int i = 0; i < count; ++i)
      out += take();
    return out;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(fair_line_tests, fixture)

CAF_TEST(tenants take turns however many orders they have) {
  push_many("a", 4);
  push_many("b", 2);
  push("c");
  CAF_CHECK_EQUAL(take_all(7), "abcabaa");
  CAF_CHECK_EQUAL(take(), "");
}

CAF_TEST(orders of a tenant go as they came) {
  std::vector<turn_id> ids;
  for (const auto tokens : {900, 5, 4000, 70}) {
    auto x = order_of(share("a"), tokens);
    ids.push_back(x->id);
    aut.push(std::move(x));
  }
  push_many("b", 4);
  std::vector<turn_id> out;
  while (const auto x = aut.take(now, anybody))
    if (x->share->tenant == "a")
      out.push_back(x->id);
  CAF_CHECK_EQUAL(out, ids);
}

CAF_TEST(a tenant that comes goes before those who had a turn) {
  push_many("a", 3);
  CAF_CHECK_EQUAL(take(), "a");
  push("b");
  CAF_CHECK_EQUAL(take_all(3), "baa");
}

CAF_TEST(a tenant that comes back at once waits for the others) {
  push_many("a", 3);
  push("b");
  CAF_CHECK_EQUAL(take_all(2), "ab");
  push("b");
  CAF_CHECK_EQUAL(take_all(3), "aba");
}

CAF_TEST(a long order goes in its turn and is paid for later) {
  push_many("a", 200);
  CAF_CHECK_EQUAL(take_all(3), "aaa");
  push("b", 60'000);
  CAF_CHECK_EQUAL(take(), "b");
  push("b");
  int others = 0;
  while (take() == "a")
    ++others;
  CAF_CHECK_GREATER_OR_EQUAL(others, 99);
  CAF_CHECK_LESS_OR_EQUAL(others, 101);
}

CAF_TEST(nobody saves up credit) {
  shares["a"] = share_for("a", 10); // an order of 640 tokens a turn
  shares["b"] = share_for("b", 10);
  push_many("b", 60, 640);
  for (int turn = 0; turn < 20; ++turn) {
    push("a", 10);
    const auto both = take_all(2);
    CAF_CHECK(both == "ab" || both == "ba");
  }
  push_many("a", 20, 640);
  const auto then = take_all(10);
  CAF_CHECK_LESS_OR_EQUAL(std::count(then.begin(), then.end(), 'a'), 6);
}

CAF_TEST(weights follow the newest order) {
  push_many("a", 400);
  push_many("b", 400);
  account before;
  for (int i = 0; i < 100; ++i)
    before.add(*aut.take(now, anybody));
  CAF_CHECK_EQUAL(before.tokens["a"], before.tokens["b"]);
  shares["a"] = share_for("a", 3);
  push("a");
  account after;
  for (int i = 0; i < 400; ++i)
    after.add(*aut.take(now, anybody));
  CAF_CHECK_GREATER(after.tokens["a"], 2.9 * after.tokens["b"]);
  CAF_CHECK_LESS(after.tokens["a"], 3.1 * after.tokens["b"]);
}

CAF_TEST(one that may not go holds up neither its tenant nor others) {
  push("a", 600, true);
  push("a");
  push("b");
  CAF_CHECK_EQUAL(take(some), "a");
  CAF_CHECK_EQUAL(take(some), "b");
  CAF_CHECK_EQUAL(take(some), "");
  CAF_CHECK_EQUAL(take(anybody), "a");
}

CAF_TEST(of each tenant a bounded number is passed) {
  push_many("a", fair_line::max_passed, 600, true);
  push("a");
  push_many("b", fair_line::max_passed + 1, 600, true);
  push("b");
  push("c");
  CAF_CHECK_EQUAL(take(some), "a");
  CAF_CHECK_EQUAL(take(some), "c");
  CAF_CHECK_EQUAL(take(some), "");
}

CAF_TEST(in all a bounded number is passed) {
  const auto most = static_cast<int>(fair_line::max_passed_in_all);
  for (int i = 0; i < most - 1; ++i)
    push("t" + std::to_string(i), 600, true);
  push("a");
  CAF_CHECK_EQUAL(take(some), "a");
  push("b", 600, true);
  push("c");
  std::size_t looks = 0;
  CAF_CHECK_EQUAL(take([&](const llm_order& x) {
                    ++looks;
                    return some(x);
                  }),
                  "");
  CAF_CHECK_EQUAL(looks, fair_line::max_passed_in_all);
}

CAF_TEST(one that leaves pays nothing) {
  push("a", 100'000);
  push("a");
  push_many("b", 2);
  CAF_CHECK_EQUAL(
      take([](const llm_order& x) { return *x.parameters.max_tokens > 600 ? leaves : waits; }),
      "a");
  CAF_CHECK_EQUAL(take_all(3), "abb");
}

CAF_TEST(a tenant is remembered until its next turn would come) {
  push_many("a", 30);
  const auto place = push("b");
  CAF_CHECK_EQUAL(aut.tenants(), 2u);
  aut.remove(place); // it owes nothing
  CAF_CHECK_EQUAL(aut.tenants(), 1u);
  push("b", 3000);
  CAF_CHECK_EQUAL(take_all(2), "ab");
  CAF_CHECK_EQUAL(aut.tenants(), 2u);
  take_all(6);
  CAF_CHECK_EQUAL(aut.tenants(), 1u);
  push("b", 3000);
  while (!take().empty())
    ;
  CAF_CHECK_EQUAL(aut.tenants(), 0u); // nobody waits
  CAF_CHECK_EQUAL(aut.size(), 0u);
}

CAF_TEST(with ten thousand tenants each is asked once) {
  for (int i = 0; i < 10'000; ++i)
    push_many("t" + std::to_string(i), 2, 100 + i);
  std::size_t looks = 0;
  const auto count = [&](const llm_order&) {
    ++looks;
    return goes;
  };
  for (int i = 0; i < 15'000; ++i)
    aut.take(now, count);
  CAF_CHECK_EQUAL(looks, 15'000u);
  CAF_CHECK_EQUAL(aut.size(), 5'000u);
}

CAF_TEST(those that waited too long are told apart) {
  push("a");
  now += 1s;
  push_many("a", 2);
  push("b");
  CAF_CHECK_EQUAL(aut.expired(now - 1s).size(), 1u);
  CAF_CHECK_EQUAL(aut.expired(now).size(), 4u);
}

CAF_TEST(a prompt and the longest answer make the cost) {
  const auto x = order_of(nullptr, 100);
  CAF_CHECK_EQUAL(cost_of(*x), 100u);
  x->prompt_tokens = 100;
  CAF_CHECK_EQUAL(cost_of(*x), 200u);
  x->parameters.choices = 3;
  CAF_CHECK_EQUAL(cost_of(*x), 400u);
  x->parameters.choices = 1;
  x->parameters.max_tokens = std::nullopt;
  CAF_CHECK_EQUAL(cost_of(*x), 1124u);
  x->parameters.max_tokens = std::numeric_limits<std::int64_t>::max(); // as good as none
  CAF_CHECK_EQUAL(cost_of(*x), 65'636u);
  x->parameters.choices = 128;
  CAF_CHECK_EQUAL(cost_of(*x), 262'144u);
  CAF_CHECK_EQUAL(share_of(*x)->tenant, "");
}

CAF_TEST_FIXTURE_SCOPE_END()
