/// What the LLM pool knows of one upstream at the moment: how busy, how fast, how healthy. No
/// actor, no I/O; times are given.
#pragma once

#include "actors/circuit_breaker.hpp"
#include "actors/key_ring.hpp"
#include "messages/error.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace lang_agent {

/// One attempt under way at an upstream.
struct attempt_ticket {
  std::size_t key = 0;
  bool decides = false; ///< whether the upstream has recovered
  std::chrono::steady_clock::time_point began = {};
};

class upstream_state {
public:
  using time_point = std::chrono::steady_clock::time_point;

  upstream_state(std::size_t key_count, std::size_t max_concurrency, unsigned weight,
                 const breaker_settings& breaking)
      : breaker(breaking), keys(key_count), max_concurrency_(max_concurrency), weight_(weight) {}

  /// Whether it may be asked now, apart from being busy.
  bool is_usable(time_point now) const {
    return breaker.allows(now) && keys.has_usable(now);
  }

  bool is_full() const {
    return outstanding_ >= max_concurrency_;
  }

  /// An attempt begins, where it is usable and not full, with a key other than those in `tried`.
  /// Every ticket is given back with one of the last three.
  attempt_ticket start(time_point now, const std::vector<std::size_t>& tried = {});

  /// Whether it matters to hear of its first token at once, and not with its end.
  bool wants_first_token(const attempt_ticket& x) const {
    return x.decides || ttft_seconds(x.began) == 0;
  }
  void begun(attempt_ticket& x, time_point now, std::chrono::nanoseconds ttft);

  void completed(const attempt_ticket& x, time_point now,
                 std::optional<std::chrono::nanoseconds> ttft);
  void failed(const attempt_ticket& x, time_point now, const failure& why);
  void abandoned(const attempt_ticket& x);

  /// Why it is not usable.
  failure problem(time_point now) const;

  /// The lower, the better: outstanding attempts by weight, times a moving average of the time to
  /// first token. Source: Finagle's peak EWMA.
  double load(time_point now) const;

  /// The average, as far as it is not out of date; 0: unknown.
  double ttft_seconds(time_point now) const;

  std::size_t outstanding() const {
    return outstanding_;
  }

  circuit_breaker breaker;
  key_ring keys;

private:
  void observe(time_point now, std::chrono::nanoseconds ttft);
  void note_key(std::size_t key, time_point now, const failure& why);

  std::size_t max_concurrency_;
  unsigned weight_;
  std::size_t outstanding_ = 0;
  double ttft_ = 0; ///< in seconds
  time_point observed_ = {};
};

} // namespace lang_agent
