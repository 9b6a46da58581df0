#include "http/watchlist.hpp"

#include <boost/asio/steady_timer.hpp>

#include <mutex>
#include <unordered_set>

namespace lang_agent::http {

namespace {

constexpr std::chrono::milliseconds fine_sweep{50};
constexpr std::chrono::milliseconds coarse_sweep{500};
/// From so many members on, the sweep is coarse: its cost stays below a percent of a core.
constexpr std::size_t many_members = 1000;

} // namespace

/// Members and timer. The timer's handler keeps no reference: it ends with the list.
class watchlist::sweeper : public std::enable_shared_from_this<sweeper> {
public:
  explicit sweeper(boost::asio::io_context& context) : timer_(context) {}

  void add(watched* x) {
    const std::lock_guard lock{mutex_};
    members_.insert(x);
    size_ = members_.size();
    if (!armed_)
      arm();
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

  std::size_t size() const {
    return size_.load(std::memory_order_relaxed);
  }

private:
  void arm() {
    armed_ = true;
    timer_.expires_after(members_.size() < many_members ? fine_sweep : coarse_sweep);
    timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& ec) {
      const auto self = weak.lock();
      if (self && !ec)
        self->sweep();
    });
  }

  void sweep() {
    const std::lock_guard lock{mutex_};
    const auto now = clock::now();
    for (auto* member : members_)
      if (member->is_expired(now))
        member->on_expired();
    armed_ = false;
    if (!members_.empty())
      arm();
  }

  std::mutex mutex_;
  std::unordered_set<watched*> members_;
  std::atomic<std::size_t> size_{0};
  boost::asio::steady_timer timer_;
  bool armed_ = false;
};

watchlist::watchlist(boost::asio::io_context& context)
    : sweeper_(std::make_shared<sweeper>(context)) {}

void watchlist::add(watched* x) {
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

} // namespace lang_agent::http
