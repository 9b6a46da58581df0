/// Leaves an upstream alone that fails: closed, open for a while, then half open for one attempt
/// that tells whether it has recovered (and another one, if that takes long). No actor, no I/O;
/// times are given.
///
/// Source: Michael Nygard, "Release It!", chapter "Circuit Breaker".
#pragma once

#include "config/settings.hpp"

#include <array>
#include <chrono>
#include <cstddef>

namespace lang_agent {

class circuit_breaker {
public:
  using time_point = std::chrono::steady_clock::time_point;

  enum class state { closed, open, half_open };

  explicit circuit_breaker(const breaker_settings& settings) : settings_(settings) {}

  /// Whether an attempt may be made now.
  bool allows(time_point now) const;

  /// An attempt is made. True: it is the one that decides. Give that back with its end.
  bool started(time_point now);

  void succeeded(time_point now, bool decides);

  /// `began`: what began before it closed tells nothing of the time since.
  void failed(time_point now, bool decides, time_point began);

  /// It ended without telling anything, e.g. because it was cancelled.
  void abandoned(bool decides);

  /// Something else than an attempt has seen that the upstream answers: the next attempt decides.
  void heal(time_point now);

  state now_is(time_point now) const;

  /// When it is open: the end of that.
  time_point open_until() const {
    return open_until_;
  }

private:
  struct bucket {
    std::int64_t number = -1; ///< of its part of the window
    unsigned attempts = 0;
    unsigned failures = 0;
  };

  void count(time_point now, bool failure);
  bool fails_too_often(time_point now) const;
  void open(time_point now);
  void close(time_point now);
  std::int64_t bucket_number(time_point now) const;

  breaker_settings settings_;
  bool closed_ = true;
  time_point next_trial_ = {}; ///< half open: when the next attempt may decide
  time_point closed_since_ = {};
  time_point open_until_ = {};
  milliseconds open_time_{0}; ///< of the last time
  unsigned in_a_row_ = 0;
  std::array<bucket, 10> window_ = {};
};

} // namespace lang_agent
