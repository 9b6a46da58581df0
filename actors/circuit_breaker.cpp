#include "actors/circuit_breaker.hpp"

#include <algorithm>

namespace lang_agent {

circuit_breaker::state circuit_breaker::now_is(time_point now) const {
  if (closed_)
    return state::closed;
  return now < open_until_ ? state::open : state::half_open;
}

bool circuit_breaker::allows(time_point now) const {
  return closed_ || (now >= open_until_ && now >= next_trial_);
}

bool circuit_breaker::started(time_point now) {
  if (closed_ || !allows(now))
    return false;
  next_trial_ = now + open_time_;
  return true;
}

void circuit_breaker::succeeded(time_point now, bool decides) {
  if (decides && !closed_)
    close(now);
  if (!closed_)
    return; // it began before the trouble
  in_a_row_ = 0;
  count(now, false);
}

void circuit_breaker::failed(time_point now, bool decides, time_point began) {
  if (decides && !closed_) {
    open(now);
    return;
  }
  if (!closed_ || began < closed_since_)
    return;
  ++in_a_row_;
  count(now, true);
  if (in_a_row_ >= settings_.consecutive_failures || fails_too_often(now))
    open(now);
}

void circuit_breaker::abandoned(bool decides) {
  if (decides)
    next_trial_ = {};
}

void circuit_breaker::heal(time_point now) {
  if (!closed_)
    open_until_ = std::min(open_until_, now);
}

void circuit_breaker::open(time_point now) {
  open_time_ = closed_ ? settings_.open_time : std::min(open_time_ * 2, settings_.max_open_time);
  closed_ = false;
  open_until_ = now + open_time_;
  next_trial_ = {};
}

void circuit_breaker::close(time_point now) {
  closed_ = true;
  closed_since_ = now;
  in_a_row_ = 0;
  window_ = {};
}

std::int64_t circuit_breaker::bucket_number(time_point now) const {
  const auto length = std::chrono::nanoseconds{settings_.window} / window_.size();
  return now.time_since_epoch() / length;
}

void circuit_breaker::count(time_point now, bool failure) {
  const auto number = bucket_number(now);
  auto& x = window_[static_cast<std::size_t>(number) % window_.size()];
  if (x.number != number)
    x = {number};
  ++x.attempts;
  x.failures += failure;
}

bool circuit_breaker::fails_too_often(time_point now) const {
  const auto oldest = bucket_number(now) - static_cast<std::int64_t>(window_.size()) + 1;
  unsigned attempts = 0;
  unsigned failures = 0;
  for (const auto& x : window_) {
    if (x.number < oldest)
      continue;
    attempts += x.attempts;
    failures += x.failures;
  }
  return attempts >= settings_.min_attempts
         && failures >= settings_.failure_rate * static_cast<double>(attempts);
}

} // namespace lang_agent
