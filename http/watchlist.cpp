#include "http/watchlist.hpp"

namespace lang_agent::http {

namespace {

constexpr std::chrono::milliseconds fine_sweep{50};
constexpr std::chrono::milliseconds coarse_sweep{500};
/// From so many members on, the sweep is coarse: its cost stays below a percent of a core.
constexpr std::size_t many_members = 1000;

} // namespace

watchlist::watchlist(boost::asio::io_context& context) : timer_(context) {}

void watchlist::add(watched* x) {
  const std::lock_guard lock{mutex_};
  members_.insert(x);
  size_ = members_.size();
  if (!armed_ && !stopped_)
    arm();
}

void watchlist::remove(watched* x) {
  const std::lock_guard lock{mutex_};
  members_.erase(x);
  size_ = members_.size();
}

void watchlist::drain() {
  const std::lock_guard lock{mutex_};
  for (auto* member : members_)
    member->on_drain();
}

void watchlist::stop() {
  const std::lock_guard lock{mutex_};
  stopped_ = true;
  timer_.cancel();
}

void watchlist::arm() {
  armed_ = true;
  timer_.expires_after(members_.size() < many_members ? fine_sweep : coarse_sweep);
  timer_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec)
      sweep();
  });
}

void watchlist::sweep() {
  const std::lock_guard lock{mutex_};
  const auto now = clock::now();
  for (auto* member : members_)
    if (member->is_expired(now))
      member->on_expired();
  armed_ = false;
  if (!members_.empty() && !stopped_)
    arm();
}

} // namespace lang_agent::http
