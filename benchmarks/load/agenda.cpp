#include "benchmarks/load/agenda.hpp"

#include <algorithm>

namespace lang_agent::load {

namespace {

/// Then sockets have their turn: a crowd of requests that are late must not keep their connections
/// from being read.
constexpr int most_at_once = 64;

} // namespace

void agenda::at(time_point when, std::function<void()> what) {
  heap_.push_back({when, next_number_++, std::move(what)});
  std::push_heap(heap_.begin(), heap_.end());
  arm();
}

void agenda::arm() {
  if (heap_.empty() || heap_.front().when >= armed_)
    return;
  armed_ = heap_.front().when;
  timer_.expires_at(armed_);
  timer_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec)
      run_due();
  });
}

void agenda::run_due() {
  armed_ = time_point::min(); // nobody arms while this runs
  const auto now = clock::now();
  for (int i = 0; i < most_at_once && !heap_.empty() && heap_.front().when <= now; ++i) {
    std::pop_heap(heap_.begin(), heap_.end());
    const auto what = std::move(heap_.back().what);
    heap_.pop_back();
    what();
  }
  armed_ = time_point::max();
  arm();
}

} // namespace lang_agent::load
