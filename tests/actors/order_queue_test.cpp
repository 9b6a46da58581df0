#define CAF_SUITE order_queue
#include "tests/actors/waiting_orders.hpp"

#include "actors/order_queue.hpp"

#include <random>

using namespace lang_agent;
using namespace lang_agent::test;
using namespace std::chrono_literals;

namespace {

fair_line::verdict anybody(const llm_order&) {
  return fair_line::verdict::goes;
}

constexpr std::size_t max_size = 100;

struct fixture {
  order_queue aut{2, max_size};
  time_point now = time_point{} + 1h;

  turn_id push(const share_ptr& share, std::size_t group = 0) {
    auto x = order_of(share, 600, now);
    const auto id = x->id;
    aut.push(group, std::move(x));
    return id;
  }

  turn_id push(const std::string& tenant, std::size_t group = 0) {
    return push(share_for(tenant), group);
  }

  void push_many(const share_ptr& share, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      push(share);
  }

  /// 0: nobody waits.
  turn_id take(std::size_t group) {
    const auto x = aut.take(group, now, anybody);
    return x ? x->id : 0;
  }

  turn_id remove(turn_id id) {
    const auto x = aut.remove(id);
    return x ? x->id : 0;
  }

  /// As the pool does when the queue is full. False: there is no room.
  bool squeeze_in(const share_ptr& share) {
    if (aut.is_full() && !aut.make_room_for(*share))
      return false;
    push(share);
    return true;
  }

  /// Serves a group until nobody waits; how many each tenant had.
  std::map<std::string, std::size_t> empty(std::size_t group = 0) {
    std::map<std::string, std::size_t> out;
    while (const auto x = aut.take(group, now, anybody))
      ++out[x->share->tenant];
    return out;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(order_queue_tests, fixture)

CAF_TEST(groups have lines of their own) {
  const auto first = push("a", 0);
  const auto second = push("a", 1);
  CAF_CHECK_EQUAL(aut.size(), 2u);
  CAF_CHECK_EQUAL(take(1), second);
  CAF_CHECK_EQUAL(take(1), 0u);
  CAF_CHECK_EQUAL(take(0), first);
  CAF_CHECK(aut.empty());
}

CAF_TEST(what is removed does not wait any more) {
  push("a");
  const auto id = push("a");
  push("b");
  CAF_CHECK_EQUAL(remove(id), id);
  CAF_CHECK_EQUAL(remove(id), 0u);
  CAF_CHECK_EQUAL(aut.size(), 2u);
  auto then = empty();
  CAF_CHECK_EQUAL(then["a"], 1u);
  CAF_CHECK_EQUAL(remove(id), 0u);
}

CAF_TEST(those that waited too long are removed in all groups) {
  push("a", 0);
  push("b", 1);
  now += 1s;
  push("a", 0);
  push("c", 1);
  std::size_t expired = 0;
  aut.expire(now - 1s, [&](const order_ptr&) { ++expired; });
  CAF_CHECK_EQUAL(expired, 2u);
  CAF_CHECK_EQUAL(aut.size(), 2u);
  CAF_CHECK_EQUAL(aut.line(0).size(), 1u);
  CAF_CHECK_EQUAL(aut.line(1).size(), 1u);
}

CAF_TEST(a tenant has a bound over all groups) {
  const auto share = share_for("a", 1, 2);
  push(share, 0);
  CAF_CHECK(!aut.is_full_for(*share));
  push(share, 1);
  CAF_CHECK(aut.is_full_for(*share));
  CAF_CHECK(!aut.is_full_for(*share_for("b", 1, 2)));
  aut.take(1, now, anybody);
  CAF_CHECK(!aut.is_full_for(*share));
  CAF_CHECK(aut.is_full_for(*share_for("c", 1, 0)));
}

CAF_TEST(each tenant knows how many of its orders wait) {
  const auto waiting = std::make_shared<std::atomic<std::size_t>>(0);
  const auto share = std::make_shared<const queue_share>(queue_share{"a", 1, 10, waiting});
  const auto first = push(share);
  push(share, 1);
  push(share);
  push("b");
  CAF_CHECK_EQUAL(waiting->load(), 3u);
  remove(first);
  take(1);
  CAF_CHECK_EQUAL(waiting->load(), 1u);
  aut.expire(now, [](const order_ptr&) {});
  CAF_CHECK_EQUAL(waiting->load(), 0u);
}

CAF_TEST(who floods the queue gives way to who has little in it) {
  const auto flood = share_for("flood");
  push_many(flood, max_size);
  CAF_CHECK(aut.is_full());
  CAF_CHECK(!squeeze_in(flood));
  CAF_CHECK(squeeze_in(share_for("a")));
  CAF_CHECK_EQUAL(aut.size(), max_size);
  auto then = empty();
  CAF_CHECK_EQUAL(then["a"], 1u);
  CAF_CHECK_EQUAL(then["flood"], max_size - 1);
}

CAF_TEST(the newest order gives way) {
  const auto oldest = push("flood");
  push_many(share_for("flood"), max_size - 2);
  const auto newest = push("flood", 1);
  const auto gone = aut.make_room_for(*share_for("a"));
  CAF_REQUIRE(gone != nullptr);
  CAF_CHECK_EQUAL(gone->id, newest);
  CAF_CHECK_EQUAL(take(0), oldest);
}

CAF_TEST(a full queue is shared by weight) {
  const auto small = share_for("small", 1);
  const auto big = share_for("big", 8);
  push_many(small, max_size);
  while (squeeze_in(big))
    ;
  auto then = empty();
  // Levels are powers of two: the shares are met within that factor.
  CAF_CHECK_GREATER_OR_EQUAL(then["big"], 4 * then["small"]);
  CAF_CHECK_LESS_OR_EQUAL(then["big"], 16 * then["small"]);
}

CAF_TEST(nobody gives way where all have the same) {
  for (std::size_t i = 0; i < max_size; ++i)
    push("t" + std::to_string(i));
  CAF_CHECK(!squeeze_in(share_for("one more")));
  CAF_CHECK(!squeeze_in(share_for("t0")));
}

CAF_TEST(a random crowd never shuts out who has little) {
  std::mt19937_64 random{1};
  for (int step = 0; step < 20'000; ++step) {
    // Tenants with lower numbers are louder.
    const auto number = std::min({random() % 10, random() % 10, random() % 10});
    const auto share = share_for("t" + std::to_string(number));
    if (random() % 3 == 0)
      aut.take(0, now, anybody);
    else
      squeeze_in(share);
    CAF_REQUIRE_LESS_OR_EQUAL(aut.size(), max_size);
    if (step % 100 == 0)
      CAF_REQUIRE(squeeze_in(share_for("quiet " + std::to_string(step))));
  }
  empty();
  CAF_CHECK(aut.empty());
  CAF_CHECK_EQUAL(aut.line(0).tenants(), 0u);
}

CAF_TEST_FIXTURE_SCOPE_END()
