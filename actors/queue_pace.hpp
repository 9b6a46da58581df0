/// How fast a queue moves, measured while somebody waits in it: who would wait too long can be told
/// so at once. Little's law, without an assumption about whom it serves.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>

namespace lang_agent {

class queue_pace {
public:
  using time_point = std::chrono::steady_clock::time_point;

  /// One has left the queue for what it waited for.
  void served(time_point now) {
    if (served_++ == 0)
      since_ = now;
    const auto measured = now - since_;
    if (served_ <= enough || measured < shortest_window)
      return;
    for_each_ = measured / (served_ - 1);
    since_ = now;
    served_ = 1;
  }

  /// Nobody waits any more: what was measured says nothing about the next crowd.
  void emptied() {
    *this = {};
  }

  /// How long one would wait behind so many; none while that is not known.
  std::optional<std::chrono::steady_clock::duration> wait_behind(std::size_t others) const {
    if (!for_each_)
      return std::nullopt;
    return *for_each_ * static_cast<std::int64_t>(others + 1);
  }

private:
  static constexpr std::int64_t enough = 32;
  /// Places become free in bursts: some of them have to fit in.
  static constexpr std::chrono::milliseconds shortest_window{500};

  std::int64_t served_ = 0; ///< since then
  time_point since_ = {};
  std::optional<std::chrono::steady_clock::duration> for_each_ = {};
};

} // namespace lang_agent
