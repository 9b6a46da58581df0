#include "actors/allowance.hpp"

namespace lang_agent {

namespace {

using std::chrono::days;
using std::chrono::milliseconds;
using which = limit_hit::limit;

std::chrono::sys_days date_of(unix_ms x) {
  return std::chrono::floor<days>(std::chrono::sys_time<milliseconds>{milliseconds{x}});
}

/// Until the next day or month begins.
milliseconds until(std::chrono::sys_days next, unix_ms now) {
  return std::chrono::sys_time<milliseconds>{next}
         - std::chrono::sys_time<milliseconds>{milliseconds{now}};
}

milliseconds rest_of_day(unix_ms now) {
  return until(date_of(now) + days{1}, now);
}

milliseconds rest_of_month(unix_ms now) {
  const std::chrono::year_month_day date{date_of(now)};
  const auto next = date.year() / date.month() + std::chrono::months{1};
  return until(next / std::chrono::day{1}, now);
}

/// Months since January 1970.
std::int32_t month_of(unix_ms x) {
  const std::chrono::year_month_day date{date_of(x)};
  return (static_cast<int>(date.year()) - 1970) * 12
         + static_cast<std::int32_t>(static_cast<unsigned>(date.month())) - 1;
}

} // namespace

std::int32_t day_of(unix_ms x) {
  return static_cast<std::int32_t>(date_of(x).time_since_epoch().count());
}

void allowance::budget::roll(std::int32_t to) {
  if (period == to)
    return;
  period = to;
  used = 0;
}

void allowance::set_limits(const usage_limits& x, const moment& now) {
  limits_ = x;
  requests_.resize(x.requests_per_minute, now.steady);
  tokens_.resize(x.tokens_per_minute, now.steady);
  day_tokens_.limit = x.tokens_per_day;
  month_tokens_.limit = x.tokens_per_month;
  day_cost_.limit = x.cost_per_day;
  month_cost_.limit = x.cost_per_month;
}

void allowance::restore(unix_ms at, const past_use& x) {
  roll({{}, at});
  day_tokens_.used = x.day_tokens;
  day_cost_.used = x.day_cost;
  month_tokens_.used = x.month_tokens;
  month_cost_.used = x.month_cost;
}

void allowance::roll(const moment& now) {
  const auto day = day_of(now.wall);
  if (day == day_tokens_.period)
    return;
  const auto month = month_of(now.wall);
  day_tokens_.roll(day);
  day_cost_.roll(day);
  month_tokens_.roll(month);
  month_cost_.roll(month);
}

std::optional<limit_hit> allowance::check(const demand& x, const moment& now) {
  if (limits_.max_turns != 0 && turns_ >= limits_.max_turns)
    return limit_hit{which::turns, limits_.max_turns};
  if (x.stream && limits_.max_streams != 0 && streams_ >= limits_.max_streams)
    return limit_hit{which::streams, limits_.max_streams};
  if (requests_.is_limited() && requests_.available(now.steady) < x.requests)
    return limit_hit{which::requests, requests_.limit(),
                     requests_.wait_for(x.requests, now.steady)};
  return check_more(x, 0, now);
}

std::optional<limit_hit> allowance::check_more(const demand& more, std::uint64_t held,
                                               const moment& now) {
  if (tokens_.is_limited() && held + more.tokens > tokens_.limit())
    return limit_hit{which::tokens_at_once, tokens_.limit()};
  if (tokens_.is_limited() && tokens_.available(now.steady) < more.tokens)
    return limit_hit{which::tokens, tokens_.limit(), tokens_.wait_for(more.tokens, now.steady)};
  return check_budgets(more, now);
}

std::optional<limit_hit> allowance::check_budgets(const demand& x, const moment& now) {
  roll(now);
  if (!day_tokens_.has(x.tokens))
    return limit_hit{which::day_tokens, day_tokens_.limit, rest_of_day(now.wall)};
  if (!day_cost_.has(x.cost))
    return limit_hit{which::day_cost, day_cost_.limit, rest_of_day(now.wall)};
  if (!month_tokens_.has(x.tokens))
    return limit_hit{which::month_tokens, month_tokens_.limit, rest_of_month(now.wall)};
  if (!month_cost_.has(x.cost))
    return limit_hit{which::month_cost, month_cost_.limit, rest_of_month(now.wall)};
  return std::nullopt;
}

void allowance::take(const demand& x, const moment& now) {
  ++turns_;
  streams_ += x.stream;
  requests_.take(x.requests, now.steady);
  add(x, now);
}

void allowance::add(const demand& more, const moment& now) {
  roll(now);
  tokens_.take(more.tokens, now.steady);
  for (auto* x : {&day_tokens_, &month_tokens_})
    x->held += more.tokens;
  for (auto* x : {&day_cost_, &month_cost_})
    x->held += more.cost;
}

void allowance::settle(const demand& held, const demand& used, const moment& now) {
  roll(now);
  --turns_;
  streams_ -= held.stream;
  requests_.give_back(held.requests - used.requests);
  if (used.tokens > held.tokens)
    tokens_.take(used.tokens - held.tokens, now.steady);
  else
    tokens_.give_back(held.tokens - used.tokens);
  for (auto* x : {&day_tokens_, &month_tokens_}) {
    x->held -= held.tokens;
    x->used += used.tokens;
  }
  for (auto* x : {&day_cost_, &month_cost_}) {
    x->held -= held.cost;
    x->used += used.cost;
  }
}

rates_left allowance::rates(const moment& now) const {
  const auto left = [&](const rate_bucket& x) -> std::optional<rate_left> {
    if (!x.is_limited())
      return std::nullopt;
    return rate_left{x.limit(), x.available(now.steady), x.until_full(now.steady)};
  };
  return {left(requests_), left(tokens_)};
}

} // namespace lang_agent
