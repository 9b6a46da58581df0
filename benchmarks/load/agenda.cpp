#include "benchmarks/load/agenda.hpp"

#include <algorithm>

namespace lang_agent::load {

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
  while (!heap_.empty() && heap_.front().when <= now) {
    std::pop_heap(heap_.begin(), heap_.end());
    const auto what = std::move(heap_.back().what);
    heap_.pop_back();
    what();
  }
  armed_ = time_point::max();
  arm();
}

} // namespace lang_agent::load
