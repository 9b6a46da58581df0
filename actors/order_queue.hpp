/// The orders that wait for a place at an upstream: first come, first served within a group of
/// upstreams, bounded in all. Used by the LLM pool only.
#pragma once

#include "messages/turn.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <unordered_map>
#include <vector>

namespace lang_agent {

class order_queue {
public:
  order_queue(std::size_t groups, std::size_t max_size) : groups_(groups), max_size_(max_size) {}

  bool empty() const {
    return places_.empty();
  }

  std::size_t size() const {
    return places_.size();
  }

  bool is_full() const {
    return size() >= max_size_;
  }

  void push(std::size_t group, order_ptr x) {
    auto& list = groups_[group];
    const auto id = x->id;
    places_[id] = {group, list.insert(list.end(), std::move(x))};
  }

  /// Those of a group, the first come first. `remove` leaves iterators to others valid.
  const std::list<order_ptr>& line(std::size_t group) const {
    return groups_[group];
  }

  /// Null: it does not wait.
  order_ptr remove(turn_id id) {
    const auto found = places_.find(id);
    if (found == places_.end())
      return nullptr;
    const auto [group, at] = found->second;
    auto out = std::move(*at);
    groups_[group].erase(at);
    places_.erase(found);
    return out;
  }

  /// Removes those that began to wait at `limit` or before.
  void expire(std::chrono::steady_clock::time_point limit,
              const std::function<void(order_ptr)>& take) {
    for (std::size_t group = 0; group < groups_.size(); ++group)
      while (!groups_[group].empty() && groups_[group].front()->queued <= limit)
        take(remove(groups_[group].front()->id));
  }

private:
  struct place {
    std::size_t group;
    std::list<order_ptr>::iterator at;
  };

  std::vector<std::list<order_ptr>> groups_;
  std::unordered_map<turn_id, place> places_;
  std::size_t max_size_;
};

} // namespace lang_agent
