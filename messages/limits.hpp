/// What tenants and their keys may use, and what of it is left. Plain data.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace lang_agent {

/// Limits of a tenant, or of one of its keys. 0: unlimited.
struct usage_limits {
  std::size_t max_turns = 0;       ///< in flight at once
  std::size_t max_streams = 0;     ///< of these, streamed ones
  std::size_t max_connections = 0; ///< open ones; of a tenant only
  std::uint64_t requests_per_minute = 0;
  std::uint64_t tokens_per_minute = 0; ///< of prompts and answers together, like those below
  std::uint64_t tokens_per_day = 0;    ///< a day of UTC
  std::uint64_t tokens_per_month = 0;
  std::uint64_t cost_per_day = 0; ///< in millionths of the currency of the prices
  std::uint64_t cost_per_month = 0;

  bool operator==(const usage_limits&) const = default;
};

inline constexpr std::uint64_t most_of_a_count = 1'000'000'000;
/// Beyond all budgets, and sums of it stay far from overflow.
inline constexpr std::uint64_t most_tokens = 1'000'000'000'000'000;

/// Visits the limits that both a tenant and a key may have, by their names in the config and in the
/// admin API: `count(name, limit, largest)` and, for money, `amount(name, limit)`.
template <class Limits, class Count, class Amount>
void for_each_limit(Limits& x, Count count, Amount amount) {
  count("max_turns", x.max_turns, most_of_a_count);
  count("max_streams", x.max_streams, most_of_a_count);
  count("requests_per_minute", x.requests_per_minute, most_of_a_count);
  count("tokens_per_minute", x.tokens_per_minute, most_of_a_count);
  count("tokens_per_day", x.tokens_per_day, most_tokens);
  count("tokens_per_month", x.tokens_per_month, most_tokens);
  amount("cost_per_day", x.cost_per_day);
  amount("cost_per_month", x.cost_per_month);
}

/// What a tenant may have in the store. 0: unlimited.
struct storage_limits {
  std::size_t threads = 0;
  std::size_t bytes = 0; ///< see `tenant_totals`

  bool operator==(const storage_limits&) const = default;
};

/// What a model's tokens cost, in millionths of the currency for a million tokens.
struct token_price {
  std::uint64_t prompt = 0;
  std::uint64_t completion = 0;

  bool operator==(const token_price&) const = default;

  std::uint64_t of(std::uint64_t prompt_tokens, std::uint64_t completion_tokens) const {
    constexpr std::uint64_t million = 1'000'000;
    return (prompt_tokens * prompt + completion_tokens * completion + million - 1) / million;
  }
};

/// One limit by the minute, as `x-ratelimit-*` headers tell of it.
struct rate_left {
  std::uint64_t limit = 0;
  std::uint64_t remaining = 0;
  std::chrono::nanoseconds reset{0}; ///< until all of it is there again
};

/// Unset: unlimited.
struct rates_left {
  std::optional<rate_left> requests = {};
  std::optional<rate_left> tokens = {};
};

} // namespace lang_agent
