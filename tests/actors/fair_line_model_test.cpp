/// Random tenants at a line: does it keep what it promises?
#define CAF_SUITE fair_line_model
#include "tests/actors/waiting_orders.hpp"

#include "actors/fair_line.hpp"

#include <algorithm>
#include <iterator>
#include <random>

using namespace lang_agent;
using namespace lang_agent::test;
using namespace std::chrono_literals;
using enum fair_line::verdict;

namespace {

struct dice {
  std::mt19937_64 random;

  std::int64_t between(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>{low, high}(random);
  }
};

/// A tenant that always has orders waiting, or one at a time.
struct buyer {
  share_ptr share;
  std::int64_t longest; ///< order
  bool one_at_a_time = false;
};

struct market {
  dice random;
  fair_line aut;
  std::vector<buyer> buyers;
  account got;

  explicit market(std::uint64_t seed) : random{std::mt19937_64{seed}} {}

  void open() {
    const auto count = random.between(2, 8);
    for (int i = 0; i < count; ++i) {
      const auto weight = static_cast<unsigned>(random.between(1, random.between(1, 30)));
      buyers.push_back({share_for("t" + std::to_string(i), weight),
                        random.between(1, random.between(10, 20'000)), random.between(0, 3) == 0});
      for (int n = 0; n < (buyers.back().one_at_a_time ? 1 : 5); ++n)
        order(buyers.back());
    }
  }

  void order(const buyer& x) {
    aut.push(order_of(x.share, random.between(1, x.longest)));
  }

  /// Who was served; it orders again at once.
  const buyer& serve() {
    const auto x = aut.take({}, [](const llm_order&) { return goes; });
    CAF_REQUIRE(x != nullptr);
    got.add(*x);
    const auto who = std::find_if(buyers.begin(), buyers.end(),
                                  [&](const buyer& b) { return b.share == x->share; });
    order(*who);
    return *who;
  }

  /// Tokens for each unit of weight.
  double part_of(const buyer& x) {
    return got.tokens[x.share->tenant] / x.share->weight;
  }

  /// By how much it may be ahead of others, or behind: an order and a turn.
  static double slack_of(const buyer& x) {
    return static_cast<double>(x.longest) / x.share->weight + fair_line::quantum;
  }
};

/// A line without turns.
struct naive_line {
  std::vector<order_ptr> orders;

  order_ptr* first(const std::string& tenant, const fair_line::judge& ask) {
    for (auto& x : orders)
      if (x->share->tenant == tenant && ask(*x) != waits)
        return &x;
    return nullptr;
  }

  bool has_any(const fair_line::judge& ask) const {
    return std::any_of(orders.begin(), orders.end(),
                       [&](const order_ptr& x) { return ask(*x) != waits; });
  }

  void erase(const order_ptr& x) {
    orders.erase(std::find(orders.begin(), orders.end(), x));
  }
};

} // namespace

CAF_TEST(shares converge to the weights in tokens) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    market all{seed};
    all.open();
    for (int i = 0; i < 3000; ++i) {
      all.serve();
      if (i % 100 != 0)
        continue;
      for (const auto& a : all.buyers)
        for (const auto& b : all.buyers)
          if (all.part_of(a) - all.part_of(b) > market::slack_of(a) + market::slack_of(b))
            CAF_FAIL("seed " << seed << ": " << a.share->tenant << " got " << all.part_of(a)
                             << " for each unit of weight, " << b.share->tenant << " "
                             << all.part_of(b));
    }
  }
}

/// Between two turns of a tenant no other gets more than its own last order and their slack allow.
CAF_TEST(nobody starves) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    market all{seed};
    all.open();
    for (const auto& patient : all.buyers) {
      const auto before = all.got;
      for (int i = 0; &all.serve() != &patient; ++i)
        CAF_REQUIRE(i < 1'000'000);
      for (const auto& x : all.buyers) {
        auto then = before;
        const auto more = all.got.tokens[x.share->tenant] - then.tokens[x.share->tenant];
        CAF_CHECK_LESS_OR_EQUAL(more / x.share->weight,
                                2 * (market::slack_of(x) + market::slack_of(patient)));
      }
    }
  }
}

/// Each order may take some of three upstreams, of which some have places.
CAF_TEST(no place stays free while anybody waits who may take it) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    dice random{std::mt19937_64{seed}};
    fair_line aut;
    naive_line model;
    std::map<turn_id, fair_line::place> places;
    const std::vector<share_ptr> shares{share_for("a"), share_for("b", 5), share_for("c", 100)};
    for (int step = 0; step < 2000; ++step) {
      const auto what = random.between(0, 9);
      if (what < 4 && model.orders.size() < 60) {
        auto x = order_of(shares[static_cast<std::size_t>(random.between(0, 2))],
                          random.between(1, 2000));
        for (std::size_t upstream = 0; upstream < 3; ++upstream)
          if (random.between(0, 3) == 0)
            x->refusing.push_back(upstream);
        model.orders.push_back(x);
        places[x->id] = aut.push(x);
      } else if (what == 4 && !model.orders.empty()) {
        const auto x = model.orders[static_cast<std::size_t>(
            random.between(0, static_cast<std::int64_t>(model.orders.size()) - 1))];
        CAF_CHECK(aut.remove(places[x->id]) == x);
        model.erase(x);
      } else {
        const auto free = static_cast<std::size_t>(random.between(0, 2));
        const auto verdict = random.between(0, 4) == 0 ? leaves : goes;
        const fair_line::judge ask = [&](const llm_order& x) {
          return std::count(x.refusing.begin(), x.refusing.end(), free) ? waits : verdict;
        };
        const auto x = aut.take({}, ask);
        CAF_REQUIRE_EQUAL(x != nullptr, model.has_any(ask));
        if (x) {
          CAF_CHECK(*model.first(x->share->tenant, ask) == x);
          model.erase(x);
        }
      }
      CAF_REQUIRE_EQUAL(aut.size(), model.orders.size());
      CAF_REQUIRE_LESS_OR_EQUAL(aut.tenants(), shares.size());
    }
  }
}
