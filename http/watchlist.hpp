/// Deadlines for many sockets at the price of one timer: a coarse sweep over all of them, when the
/// first is due and once a second at most.
#pragma once

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>

namespace lang_agent::http {

using clock = std::chrono::steady_clock;

class watchlist;

/// Something with a deadline. Setting it costs one store, unless it comes before the next sweep.
class watched {
public:
  virtual ~watched() = default;

  void expire_at(clock::time_point x);

  void expire_after(clock::duration x) {
    expire_at(clock::now() + x);
  }

  void never_expire() {
    deadline_.store(std::numeric_limits<std::int64_t>::max(), std::memory_order_relaxed);
  }

  bool is_expired(clock::time_point now) const {
    return deadline_.load(std::memory_order_relaxed) <= now.time_since_epoch().count();
  }

  /// Called by the sweep, on any thread and under its lock: must only post. It comes again with
  /// each sweep until the deadline is moved.
  virtual void on_expired() = 0;

  /// The server wants to stop: let go of what is idle. Must only post.
  virtual void on_drain() = 0;

  /// Set by the list that it is added to.
  void watch_with(watchlist* list) {
    list_ = list;
  }

  clock::time_point deadline() const {
    return clock::time_point{clock::duration{deadline_.load(std::memory_order_relaxed)}};
  }

private:
  std::atomic<std::int64_t> deadline_{std::numeric_limits<std::int64_t>::max()};
  watchlist* list_ = nullptr; ///< outlives this
};

/// All watched objects of one kind. Thread-safe. Deadlines are met up to 50 ms late, 500 ms where
/// there are more than 1,000 objects.
class watchlist {
public:
  explicit watchlist(boost::asio::io_context& context);

  /// An object must be removed before its destruction begins.
  void add(watched* x);
  void remove(watched* x);

  std::size_t size() const;

  /// Calls `on_drain` on all.
  void drain();

  /// A deadline may have come before the next sweep.
  void notice(clock::time_point deadline);

private:
  class sweeper;
  std::shared_ptr<sweeper> sweeper_; ///< a running sweep may outlive the list
};

} // namespace lang_agent::http
