/// A limit by the minute: a bucket of so many units that refills steadily.
///
/// Kept as the one point in time at which it will be full again, so there is nothing to refill and
/// nothing to round: the virtual scheduling form of the generic cell rate algorithm (ITU-T I.371).
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace lang_agent {

class rate_bucket {
public:
  using clock = std::chrono::steady_clock;

  /// 0: unlimited. What is taken stays taken, in units, but never more than all there is now.
  void resize(std::uint64_t units_per_minute, clock::time_point now) {
    if (units_per_minute == limit_)
      return;
    const auto taken =
        is_limited() ? (until_full(now) + interval_ - clock::duration{1}) / interval_ : 0;
    limit_ = units_per_minute;
    const auto units = static_cast<std::int64_t>(units_per_minute);
    // Rounded up: never a unit too many.
    interval_ = units == 0 ? clock::duration{0}
                           : (clock::duration{std::chrono::minutes{1}} + clock::duration{units - 1})
                                 / units;
    full_at_ = now + interval_ * std::min<std::int64_t>(taken, units);
  }

  bool is_limited() const {
    return limit_ != 0;
  }

  std::uint64_t limit() const {
    return limit_;
  }

  /// Whole units that are there.
  std::uint64_t available(clock::time_point now) const {
    const auto there = time_of(limit_) - until_full(now);
    return there.count() <= 0 ? 0 : static_cast<std::uint64_t>(there / interval_);
  }

  /// Until so many units are there; for ever, as far as the caller is concerned, when that is more
  /// than the bucket holds.
  clock::duration wait_for(std::uint64_t units, clock::time_point now) const {
    return std::max(clock::duration{0}, until_full(now) + time_of(units) - time_of(limit_));
  }

  clock::duration until_full(clock::time_point now) const {
    return std::max(clock::duration{0}, full_at_ - now);
  }

  /// May be more than there is: what was used is used.
  void take(std::uint64_t units, clock::time_point now) {
    if (is_limited())
      full_at_ = std::max(full_at_, now) + time_of(units);
  }

  void give_back(std::uint64_t units) {
    if (is_limited())
      full_at_ -= time_of(units);
  }

private:
  /// No answer is so long that it takes more than some fillings of the bucket.
  static constexpr std::uint64_t most_fillings = 1000;

  clock::duration time_of(std::uint64_t units) const {
    return interval_ * static_cast<std::int64_t>(std::min(units, most_fillings * limit_));
  }

  std::uint64_t limit_ = 0;
  clock::duration interval_{0};
  clock::time_point full_at_ = {};
};

} // namespace lang_agent
