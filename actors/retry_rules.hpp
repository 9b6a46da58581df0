/// What is done about a failed attempt at an upstream: the one table of it, the pause before the
/// next attempt, and the budget for retries. No actor, no I/O.
#pragma once

#include "config/settings.hpp"
#include "messages/error.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <string>

namespace lang_agent {

/// What a failure says about its upstream.
enum class health : std::uint8_t { works, fails, unknown };

/// What a failure says about the key that was used.
enum class key_fault : std::uint8_t {
  none,
  refused, ///< it is set aside
  limited, ///< it cools down
  suspect, ///< refused, too, if another key then gets the same request through
};

/// Attempts are made again only before the client has seen anything of the answer.
struct retry_rule {
  bool other_key = false; ///< at once with another key of the same upstream
  bool again = false;     ///< on the same upstream, after a pause
  bool elsewhere = false; ///< on another upstream of the group, then on the next group
  health upstream = health::unknown;
  key_fault key = key_fault::none;
};

retry_rule rule_for(error_kind kind);

/// What `retry-after` of a failure asks for, if anything.
std::optional<std::chrono::milliseconds> retry_after_of(const failure& x);

/// A value for `retry-after`: whole seconds, at least one.
std::string retry_after_text(std::chrono::nanoseconds x);

/// The pause before attempt number `attempt` (from 1) is repeated: full jitter, i.e. random between
/// 0 and base_delay * 2^(attempt-1), at most max_delay; but never less than what the upstream asked
/// for. Nothing when it asked for more than max_delay. Source: Marc Brooker, "Exponential Backoff
/// And Jitter", AWS Architecture Blog, 2015.
std::optional<std::chrono::milliseconds> retry_delay(const retry_settings& settings,
                                                     unsigned attempt, const failure& why,
                                                     std::mt19937_64& random);

/// Lets retries be a share of turns, after a reserve of some, so that they never become a storm.
/// Source: Finagle's RetryBudget.
class retry_budget {
public:
  explicit retry_budget(double share) : share_(share) {}

  void deposit() {
    tokens_ = std::min(tokens_ + share_, most);
  }

  /// False: no retry now.
  bool withdraw() {
    if (tokens_ < 1)
      return false;
    tokens_ -= 1;
    return true;
  }

private:
  static constexpr double reserve = 10;
  static constexpr double most = 100;

  double share_;
  double tokens_ = share_ > 0 ? reserve : 0;
};

} // namespace lang_agent
