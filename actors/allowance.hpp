/// What one holder, a tenant or a key, may use and has used. No actor, not thread-safe: the ledger
/// guards it.
#pragma once

#include "actors/rate_bucket.hpp"
#include "messages/limits.hpp"
#include "messages/threads.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace lang_agent {

/// Now, for limits by the minute and for those by the calendar.
struct moment {
  std::chrono::steady_clock::time_point steady = {};
  unix_ms wall = 0;
};

/// Days since 1970-01-01, in UTC.
std::int32_t day_of(unix_ms x);

/// What a turn takes of an allowance.
struct demand {
  std::uint64_t requests = 0;
  std::uint64_t tokens = 0;
  std::uint64_t cost = 0; ///< see `usage_limits`
  bool stream = false;
};

/// What was used of this day and month before the process began.
struct past_use {
  std::uint64_t day_tokens = 0;
  std::uint64_t day_cost = 0;
  std::uint64_t month_tokens = 0;
  std::uint64_t month_cost = 0;
};

/// Why a demand is refused.
struct limit_hit {
  enum class limit : std::uint8_t {
    turns,
    streams,
    requests,
    tokens,
    tokens_at_once, ///< more than the limit ever allows
    day_tokens,
    month_tokens,
    day_cost,
    month_cost,
  };

  limit which = limit::turns;
  std::uint64_t size = 0;           ///< the limit
  std::chrono::nanoseconds wait{0}; ///< 0: nobody knows
};

class allowance {
public:
  /// What is used stays used.
  void set_limits(const usage_limits& x, const moment& now);

  /// Before the first turn.
  void restore(unix_ms at, const past_use& x);

  /// The first limit that a turn with this demand would break.
  std::optional<limit_hit> check(const demand& x, const moment& now);

  /// A turn begins: it holds its demand until it is settled.
  void take(const demand& x, const moment& now);

  /// It needs more tokens than it holds, beyond all checks.
  void add(const demand& more, const moment& now);

  /// The limit that a turn would break that holds so many tokens already.
  std::optional<limit_hit> check_more(const demand& more, std::uint64_t held, const moment& now);

  /// The turn is over: what it held goes back, what it used is used.
  void settle(const demand& held, const demand& used, const moment& now);

  rates_left rates(const moment& now) const;

  std::size_t turns() const {
    return turns_;
  }

private:
  /// A sum that starts at nothing with each day or month.
  struct budget {
    std::uint64_t limit = 0;
    std::int32_t period = 0;
    std::uint64_t used = 0;
    std::uint64_t held = 0;

    void roll(std::int32_t to);
    bool has(std::uint64_t amount) const {
      return limit == 0 || used + held + amount <= limit;
    }
  };

  void roll(const moment& now);
  std::optional<limit_hit> check_budgets(const demand& x, const moment& now);

  usage_limits limits_;
  std::size_t turns_ = 0;
  std::size_t streams_ = 0;
  rate_bucket requests_;
  rate_bucket tokens_;
  budget day_tokens_;
  budget month_tokens_;
  budget day_cost_;
  budget month_cost_;
};

} // namespace lang_agent
