/// The orders that wait for a place at an upstream: a fair line for each group of upstreams, bounds
/// for each tenant and in all. No actor, no I/O; times are given. Used by the LLM pool only.
#pragma once

#include "actors/fair_line.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <string>
#include <unordered_map>
#include <vector>

namespace lang_agent {

class order_queue {
public:
  order_queue(std::size_t groups, std::size_t max_size) : lines_(groups), max_size_(max_size) {}

  bool empty() const {
    return places_.empty();
  }

  std::size_t size() const {
    return places_.size();
  }

  bool is_full() const {
    return size() >= max_size_;
  }

  /// Whether a tenant has as many waiting as it may.
  bool is_full_for(const queue_share& x) const;

  /// Those who wait for a group.
  const fair_line& line(std::size_t group) const {
    return lines_[group];
  }

  /// Beyond the bounds, too: who pushes has asked before.
  void push(std::size_t group, order_ptr x);

  /// Takes out the newest order of the tenant that has most waiting for its weight (of those within
  /// a factor of two, any). Null: nobody has clearly more than the given one would have with
  /// one more.
  order_ptr make_room_for(const queue_share& x);

  /// The next one of a group that may go or leave; see `fair_line::take`.
  order_ptr take(std::size_t group, std::chrono::steady_clock::time_point now,
                 const fair_line::judge& ask);

  /// Null: it does not wait.
  order_ptr remove(turn_id id);

  /// Removes those that began to wait at `limit` or before. Looks at all tenants.
  void expire(std::chrono::steady_clock::time_point limit,
              const std::function<void(order_ptr)>& take);

private:
  struct tenant_orders;
  using tenant_list = std::list<tenant_orders*>;

  /// What a tenant has waiting, in all groups.
  struct tenant_orders {
    std::string name;
    unsigned weight = 1;
    std::list<turn_id> ids = {};                            ///< as they came
    std::shared_ptr<std::atomic<std::size_t>> waiting = {}; ///< see `queue_share`
    std::size_t level = 0;                                  ///< of its number for its weight
    tenant_list::iterator at = {};                          ///< in that
  };

  struct place {
    std::size_t group = 0;
    fair_line::place in_line = {};
    tenant_orders* tenant = nullptr;
    std::list<turn_id>::iterator in_tenant = {};
  };

  static std::size_t level_of(std::size_t orders, unsigned weight);
  void rank(tenant_orders& x);
  void leave(place& x);

  std::vector<fair_line> lines_;
  std::unordered_map<turn_id, place> places_;
  std::unordered_map<std::string, tenant_orders> tenants_; ///< that wait, by name
  std::array<tenant_list, 64> levels_;                     ///< powers of two
  std::size_t max_size_;
};

} // namespace lang_agent
