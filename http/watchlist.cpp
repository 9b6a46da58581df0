#include "http/watchlist.hpp"

#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <mutex>
#include <unordered_set>

namespace lang_agent::http {

namespace {

/// Between two sweeps at least: their cost stays below a percent of a core.
constexpr std::chrono::milliseconds fine_pause{50};
constexpr std::chrono::milliseconds coarse_pause{500};
constexpr std::size_t many_members = 1000;
/// Between two sweeps at most.
constexpr std::chrono::seconds longest_pause{1};

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

} // namespace

void watched::expire_at(clock::time_point x) {
  deadline_.store(x.time_since_epoch().count(), std::memory_order_relaxed);
  if (list_)
    list_->notice(x);
}

/// Members and timer. The timer's handler keeps no reference: it ends with the list.
class watchlist::sweeper : public std::enable_shared_from_this<sweeper> {
public:
  explicit sweeper(boost::asio::io_context& context) : timer_(context) {}

  void add(watched* x) {
    const std::lock_guard lock{mutex_};
    members_.insert(x);
    size_ = members_.size();
    if (next_sweep_ == never)
      arm(std::min(x->deadline(), clock::now() + longest_pause));
  }

  void remove(watched* x) {
    const std::lock_guard lock{mutex_};
    members_.erase(x);
    size_ = members_.size();
  }

  void drain() {
    const std::lock_guard lock{mutex_};
    for (auto* member : members_)
      member->on_drain();
  }

  /// Hardly ever takes the lock: most deadlines are seconds away.
  void notice(clock::time_point deadline) {
    if (deadline.time_since_epoch().count() >= next_sweep_.load(std::memory_order_relaxed))
      return;
    const std::lock_guard lock{mutex_};
    if (deadline.time_since_epoch().count() < next_sweep_ && next_sweep_ != never)
      arm(deadline);
  }

  std::size_t size() const {
    return size_.load(std::memory_order_relaxed);
  }

private:
  /// Sets the timer, within what is due at the earliest.
  void arm(clock::time_point wanted) {
    const auto pause = members_.size() < many_members ? fine_pause : coarse_pause;
    const auto at = std::max(wanted, last_sweep_ + pause);
    if (at.time_since_epoch().count() >= next_sweep_)
      return;
    next_sweep_ = at.time_since_epoch().count();
    timer_.expires_at(at);
    timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& ec) {
      const auto self = weak.lock();
      if (self && !ec)
        self->sweep();
    });
  }

  void sweep() {
    const std::lock_guard lock{mutex_};
    last_sweep_ = clock::now();
    next_sweep_ = never;
    auto first = last_sweep_ + longest_pause;
    for (auto* member : members_) {
      if (member->is_expired(last_sweep_))
        member->on_expired();
      first = std::min(first, member->deadline());
    }
    if (!members_.empty())
      arm(first);
  }

  std::mutex mutex_;
  std::unordered_set<watched*> members_;
  std::atomic<std::size_t> size_{0};
  boost::asio::steady_timer timer_;
  clock::time_point last_sweep_ = {};
  std::atomic<std::int64_t> next_sweep_{never}; ///< since the clock's epoch; never: no timer is set
};

watchlist::watchlist(boost::asio::io_context& context)
    : sweeper_(std::make_shared<sweeper>(context)) {}

void watchlist::add(watched* x) {
  x->watch_with(this);
  sweeper_->add(x);
}

void watchlist::remove(watched* x) {
  sweeper_->remove(x);
}

std::size_t watchlist::size() const {
  return sweeper_->size();
}

void watchlist::drain() {
  sweeper_->drain();
}

void watchlist::notice(clock::time_point deadline) {
  sweeper_->notice(deadline);
}

} // namespace lang_agent::http
