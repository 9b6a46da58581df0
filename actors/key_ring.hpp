/// The keys of an upstream, by number: which one is next, which ones rest. No actor, no I/O; times
/// are given. An upstream without keys has one in this sense: none is sent.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

namespace lang_agent {

class key_ring {
public:
  using time_point = std::chrono::steady_clock::time_point;

  /// A refused key rests so long at first, twice as long each time it is refused again.
  static constexpr std::chrono::seconds first_rest{5};
  static constexpr std::chrono::minutes longest_rest{1};

  explicit key_ring(std::size_t count) : keys_(count > 0 ? count : 1) {}

  /// The next usable key, in turn, other than those in `tried`.
  std::optional<std::size_t> take(time_point now, const std::vector<std::size_t>& tried = {});

  /// Whether there is one.
  bool has_usable(time_point now, const std::vector<std::size_t>& tried = {}) const;

  /// The upstream took it.
  void accepted(std::size_t key, time_point now);

  /// The upstream does not know it, or its account is empty: set aside.
  void refused(std::size_t key, time_point now);

  /// Used too much: cools down.
  void limited(std::size_t key, time_point until);

  /// When the next key is usable, and whether keys rest because they were refused.
  time_point usable_at() const;
  bool all_refused(time_point now) const;

  std::size_t resting(time_point now) const;

  bool rests(std::size_t key, time_point now) const {
    return keys_[key].rests_until > now;
  }

  std::size_t size() const {
    return keys_.size();
  }

private:
  bool is_free(std::size_t key, time_point now, const std::vector<std::size_t>& tried) const;

  struct state {
    time_point rests_until = {};
    std::chrono::nanoseconds last_rest{0}; ///< 0: not refused since it was accepted
  };

  std::vector<state> keys_;
  std::size_t next_ = 0;
};

} // namespace lang_agent
