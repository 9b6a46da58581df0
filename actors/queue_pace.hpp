/// How fast a queue moves, measured while somebody waits in it: who would wait too long can be told
/// so at once. Little's law, without an assumption about whom it serves.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace lang_agent {

class queue_pace {
public:
  using time_point = std::chrono::steady_clock::time_point;
  using duration = std::chrono::steady_clock::duration;

  /// One has left the queue for what it waited for; it costs so many tokens.
  void served(time_point now, std::uint64_t tokens) {
    if (served_++ == 0) {
      since_ = now;
      return;
    }
    tokens_ += tokens;
    const auto measured = now - since_;
    if (served_ <= enough || measured < shortest_window)
      return;
    // Bad news are believed at once, good ones by and by: who is let in must not wait in vain.
    const auto latest = measured / (served_ - 1);
    for_each_ = std::max(latest, (3 * for_each_.value_or(latest) + latest) / 4);
    for_a_token_ = static_cast<double>(measured.count()) / static_cast<double>(tokens_);
    since_ = now;
    served_ = 1;
    tokens_ = 0;
  }

  /// Nobody waits any more: what was measured says nothing about the next crowd.
  void emptied() {
    *this = {};
  }

  /// How long one would wait behind so many; none while that is not known.
  std::optional<duration> wait_behind(std::size_t others) const {
    if (!for_each_)
      return std::nullopt;
    return *for_each_ * static_cast<std::int64_t>(others + 1);
  }

  /// How long orders of so many tokens take; none while that is not known.
  std::optional<duration> wait_for(double tokens) const {
    if (!for_each_)
      return std::nullopt;
    return duration{static_cast<duration::rep>(for_a_token_ * tokens)};
  }

private:
  static constexpr std::int64_t enough = 32;
  /// Places become free in bursts: some of them have to fit in.
  static constexpr std::chrono::milliseconds shortest_window{500};

  std::int64_t served_ = 0;  ///< since then
  std::uint64_t tokens_ = 0; ///< of all of those but the first
  time_point since_ = {};
  std::optional<duration> for_each_ = {};
  double for_a_token_ = 0; ///< in ticks
};

} // namespace lang_agent
