/// A flood beside polite tenants, in simulated time: benchmarks/fairness in small.
#define CAF_SUITE fairness
#include "tests/actors/waiting_orders.hpp"

#include "actors/order_queue.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <queue>
#include <random>

using namespace lang_agent;
using namespace lang_agent::test;
using namespace std::chrono_literals;

namespace {

using std::chrono::duration;
using std::chrono::duration_cast;

/// One who sends orders at random times, or at regular ones.
struct sender {
  share_ptr share;
  double rate; ///< orders per second
  std::int64_t tokens = 600;
  bool regular = false;
};

struct outcome {
  std::map<std::string, std::vector<double>> waits = {}; ///< of those that were served, in seconds
  std::map<std::string, std::size_t> refused = {};       ///< at once or later
  std::size_t in_vain = 0;                               ///< of those: later
  account served = {};
  double busy = 0; ///< share of the places, on average

  double p99(const std::string& tenants) {
    std::vector<double> all;
    for (const auto& [name, waits_of_one] : waits)
      if (name.starts_with(tenants))
        all.insert(all.end(), waits_of_one.begin(), waits_of_one.end());
    CAF_REQUIRE(!all.empty());
    std::sort(all.begin(), all.end());
    return all[all.size() * 99 / 100];
  }

  std::size_t refused_of(const std::string& tenants) const {
    std::size_t sum = 0;
    for (const auto& [name, count] : refused)
      if (name.starts_with(tenants))
        sum += count;
    return sum;
  }
};

/// An upstream with 16 places, and the queue before it, refusing as the pool does.
class simulation {
public:
  static constexpr std::size_t places = 16;
  static constexpr auto service = 100ms; ///< on average
  static constexpr auto wait_timeout = 5s;

  simulation(std::vector<sender> senders, std::uint64_t seed)
      : senders_(std::move(senders)), random_(seed) {
    for (std::size_t i = 0; i < senders_.size(); ++i)
      schedule_arrival(i);
  }

  outcome run(std::chrono::seconds length) {
    const auto start = now_;
    while (events_.top().at < start + length) {
      const auto next = events_.top();
      events_.pop();
      out_.busy += duration<double>(next.at - now_).count() * static_cast<double>(running_)
                   / static_cast<double>(places) / duration<double>(length).count();
      now_ = next.at;
      if (next.arrival) {
        arrive(senders_[*next.arrival]);
        schedule_arrival(*next.arrival);
      } else {
        --running_;
      }
      serve();
    }
    return out_;
  }

private:
  struct event {
    time_point at;
    std::optional<std::size_t> arrival; ///< whose; none: a place becomes free

    bool operator>(const event& x) const {
      return at > x.at;
    }
  };

  static time_point::duration seconds(double x) {
    return duration_cast<time_point::duration>(duration<double>(x));
  }

  void schedule_arrival(std::size_t who) {
    const auto& x = senders_[who];
    std::exponential_distribution<double> gap{x.rate};
    events_.push({now_ + seconds(x.regular ? 1 / x.rate : gap(random_)), who});
  }

  void arrive(const sender& x) {
    queue_.expire(now_ - wait_timeout, [&](const order_ptr& late) {
      ++out_.in_vain;
      refuse(*late->share);
    });
    const auto wait = queue_.line(0).wait_of(*x.share);
    if (queue_.is_full_for(*x.share) || (wait && *wait > wait_timeout)) {
      refuse(*x.share);
      return;
    }
    if (queue_.is_full()) {
      const auto other = queue_.make_room_for(*x.share);
      refuse(other ? *other->share : *x.share);
      if (!other)
        return;
    }
    queue_.push(0, order_of(x.share, x.tokens, now_));
  }

  void refuse(const queue_share& x) {
    ++out_.refused[x.tenant];
  }

  void serve() {
    const auto anybody = [](const llm_order&) { return fair_line::verdict::goes; };
    std::uniform_real_distribution<double> jitter{0.8, 1.2};
    while (running_ < places && !queue_.empty()) {
      const auto x = queue_.take(0, now_, anybody);
      ++running_;
      out_.waits[x->share->tenant].push_back(duration<double>(now_ - x->queued).count());
      out_.served.add(*x);
      events_.push({now_ + seconds(jitter(random_) * duration<double>(service).count()), {}});
    }
  }

  std::vector<sender> senders_;
  std::mt19937_64 random_;
  order_queue queue_{1, 10'000};
  std::priority_queue<event, std::vector<event>, std::greater<>> events_;
  time_point now_ = time_point{} + 1h;
  std::size_t running_ = 0;
  outcome out_;
};

constexpr double capacity = simulation::places / 0.1; // orders per second

/// Nine that send nine tenths of their share.
std::vector<sender> polite_ones() {
  std::vector<sender> out;
  for (int i = 1; i <= 9; ++i)
    out.push_back({share_for("polite " + std::to_string(i)), 0.9 * capacity / 10});
  return out;
}

} // namespace

CAF_TEST(a flood does not slow down polite tenants) {
  auto senders = polite_ones();
  senders.push_back({share_for("tenth"), 0.9 * capacity / 10});
  auto calm = simulation{senders, 1}.run(300s);
  senders.back().rate = 50 * capacity / 10;
  auto flooded = simulation{senders, 1}.run(300s);
  CAF_MESSAGE("p99 " << calm.p99("polite") << " s beside a polite tenth, " << flooded.p99("polite")
                     << " s beside its flood");
  CAF_CHECK_LESS(flooded.p99("polite"), 2 * calm.p99("polite"));
  CAF_CHECK_EQUAL(flooded.refused_of("polite"), 0u);
  CAF_CHECK_GREATER(flooded.refused_of("tenth"), 0u);
  CAF_CHECK_GREATER(flooded.busy, 0.99);
}

CAF_TEST(a flood of long orders does neither) {
  auto senders = polite_ones();
  senders.push_back({share_for("tenth"), 0.9 * capacity / 10});
  auto calm = simulation{senders, 2}.run(300s);
  senders.back() = {share_for("tenth"), 50 * capacity / 10, 30'000};
  auto flooded = simulation{senders, 2}.run(300s);
  CAF_CHECK_LESS(flooded.p99("polite"), 2 * calm.p99("polite"));
  CAF_CHECK_EQUAL(flooded.refused_of("polite"), 0u);
  CAF_CHECK_GREATER(flooded.busy, 0.99);
}

/// It wants 6,000 tokens a second of 9,600 that are its share. Paid in advance, each of its orders
/// would wait for 6 s, which is more than it may.
CAF_TEST(who sends long orders now and then is served beside floods of short ones) {
  std::vector<sender> senders{{share_for("polite"), 0.1, 60'000, true}};
  for (int i = 1; i <= 9; ++i)
    senders.push_back({share_for("flood " + std::to_string(i)), capacity});
  auto then = simulation{senders, 3}.run(300s);
  CAF_CHECK_EQUAL(then.refused_of("polite"), 0u);
  CAF_CHECK_GREATER_OR_EQUAL(then.waits["polite"].size(), 29u);
  CAF_CHECK_LESS(then.p99("polite"), 0.5);
}

CAF_TEST(tenants that want too much get by weight) {
  std::vector<sender> senders;
  for (const unsigned weight : {1u, 2u, 5u})
    senders.push_back({share_for("t" + std::to_string(weight), weight), 2 * capacity});
  auto then = simulation{senders, 4}.run(300s);
  const auto one = then.served.tokens["t1"];
  CAF_CHECK_GREATER(then.served.tokens["t2"] / one, 1.9);
  CAF_CHECK_LESS(then.served.tokens["t2"] / one, 2.1);
  CAF_CHECK_GREATER(then.served.tokens["t5"] / one, 4.75);
  CAF_CHECK_LESS(then.served.tokens["t5"] / one, 5.25);
  CAF_CHECK_GREATER(then.busy, 0.95);
}

CAF_TEST(who would wait too long is told at once) {
  auto senders = polite_ones();
  senders.push_back({share_for("flood"), 50 * capacity / 10});
  auto then = simulation{senders, 5}.run(300s);
  const auto served = then.waits["flood"].size();
  CAF_MESSAGE(served << " served, " << then.in_vain << " waited in vain, "
                     << then.refused["flood"] - then.in_vain << " refused at once");
  CAF_CHECK_LESS(5 * then.in_vain, 2 * served);
  CAF_CHECK_LESS(50 * then.in_vain, then.refused["flood"]);
}
