/// The turns that wait for their thread, in order of arrival. Used by one conversation only.
#pragma once

#include "actors/joint_turn.hpp"

#include <chrono>
#include <cstddef>
#include <list>

namespace lang_agent {

class turn_queue {
public:
  bool empty() const {
    return turns_.empty();
  }

  std::size_t size() const {
    return turns_.size();
  }

  void push(turn_ptr x) {
    turns_.emplace_back(std::move(x));
  }

  /// One that was taken before its time.
  void put_back(joint_turn x) {
    turns_.push_front(std::move(x));
  }

  joint_turn take() {
    auto out = std::move(turns_.front());
    turns_.pop_front();
    return out;
  }

  /// Makes `x` part of a turn that it retries. Whatever it was, apart from `relation::other`, `x`
  /// is used up.
  relation join(turn_ptr& x);

  /// The requester of `id` has left.
  void leave(turn_id id);

  void fail_all(const failure& why);
  void fail_until(std::chrono::steady_clock::time_point arrival, const failure& why);

private:
  std::list<joint_turn> turns_; ///< hardly ever any: takes no memory while empty
};

} // namespace lang_agent
