/// Those who wait for one group of upstreams: tenants in turn, each tenant's orders as they came.
/// No actor, no I/O; times are given. Used by `order_queue` only.
///
/// Deficit round robin (Shreedhar and Varghese, "Efficient Fair Queuing using Deficit Round Robin",
/// 1996): in each round a tenant is given `quantum` tokens for each unit of its weight, and its
/// orders cost theirs. An order goes while its tenant has any credit left, and the rest is owed, as
/// in "surplus" round robin (Adiseshu, Parulkar, Varghese, "A Reliable and Scalable Striping
/// Protocol", 1996): paid in advance, a long prompt would wait for all that others send meanwhile.
/// Each tenant stands in the round in which it will have credit again, so nobody is asked in vain
/// and the quantum can be small: no tenant has many orders in a row.
///
/// Who stops waiting keeps what it owes, but no credit: else one order at a time would be free. So
/// a tenant is remembered until its next turn would come, or nobody waits.
#pragma once

#include "actors/queue_pace.hpp"
#include "messages/turn.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace lang_agent {

/// The share of an order: that of its tenant, or one of nobody in particular.
const share_ptr& share_of(const llm_order& x);

/// What an order is thought to cost, in tokens: its prompt, estimated, and the longest answer that
/// it allows.
std::uint64_t cost_of(const llm_order& x);

class fair_line {
  struct customer;

public:
  using time_point = std::chrono::steady_clock::time_point;
  using duration = std::chrono::steady_clock::duration;

  /// What becomes of an order that is offered a place.
  enum class verdict {
    waits,  ///< it may not take this one
    leaves, ///< it goes elsewhere, and pays nothing
    goes,   ///< it takes the place and pays
  };
  using judge = std::function<verdict(const llm_order&)>;

  struct waiting_order {
    order_ptr order;
    std::uint64_t cost; ///< tokens
  };

  /// Where an order waits; valid as long as it does.
  struct place {
    customer* who = nullptr;
    std::list<waiting_order>::iterator at = {};
  };

  fair_line() = default;
  fair_line(const fair_line&) = delete;
  fair_line& operator=(const fair_line&) = delete;

  /// Tokens that a tenant of weight 1 is given in a round.
  static constexpr std::uint64_t quantum = 64;
  /// Of each tenant, so many that may not take a place are passed by others; and so many in all.
  static constexpr std::size_t max_passed = 64;
  static constexpr std::size_t max_passed_in_all = 1024;

  std::size_t size() const {
    return size_;
  }

  /// Tenants in memory: those who wait, and those who were served lately.
  std::size_t tenants() const {
    return customers_.size();
  }

  /// The tenant has from now on the share that comes with it.
  place push(order_ptr x);

  order_ptr remove(const place& x);

  /// Takes out the next one that may go or leave. Null: nobody, within the bounds. Its cost does
  /// not depend on how many tenants wait, but for the logarithm of the number of their rounds.
  order_ptr take(time_point now, const judge& ask);

  /// Those that began to wait at `limit` or before.
  std::vector<turn_id> expired(time_point limit) const;

  /// How long a new order of a tenant would wait; none while that is not known. A tenant that has
  /// waited without a break goes on at its own pace. What another one has before it depends on its
  /// own orders and on how many tenants wait, not on how much those want.
  std::optional<duration> wait_of(const queue_share& x) const;

private:
  using turns = std::list<customer*>;
  using round_map = std::map<std::uint64_t, turns>; ///< by number

  /// A tenant.
  struct customer {
    share_ptr share = {};
    std::list<waiting_order> orders = {}; ///< as they came
    std::uint64_t backlog = 0;            ///< tokens of those
    std::int64_t credit = 0;              ///< tokens that it has when its turn comes; above 0
    bool was_served = false;              ///< ever
    bool in_turn = false;                 ///< was served in the round where it stands
    round_map::iterator round = {};       ///< of its turn
    turns::iterator at = {};              ///< in that
    queue_pace pace = {};
  };

  order_ptr take_from(round_map::iterator round, std::size_t& passed, time_point now,
                      const judge& ask);
  order_ptr look_through(customer& who, std::size_t& passed, time_point now, const judge& ask);
  order_ptr take_out(customer& who, std::list<waiting_order>::iterator at);
  void charge(customer& who, std::uint64_t cost, time_point now);
  void end_turn(customer& who);
  void stand(customer& who, std::uint64_t round);
  void forget(customer& who);
  void clear();

  std::unordered_map<std::string, customer> customers_; ///< by tenant
  round_map rounds_;                                    ///< those in which anybody stands
  std::uint64_t now_ = 0;                               ///< the round of who went last
  std::size_t size_ = 0;
  std::uint64_t weights_ = 0; ///< of tenants that wait
  queue_pace pace_;
};

} // namespace lang_agent
