#include "actors/upstream_state.hpp"

#include "actors/retry_rules.hpp"

#include <algorithm>
#include <cmath>

namespace lang_agent {

namespace {

/// The average follows what happened in about this time, and is forgotten in a few times of it: an
/// upstream that was slow once is tried again.
constexpr double memory_seconds = 10;
/// Nobody has seen a first token of it lately: it may hang.
constexpr double unproven_seconds = 1;
/// A cool-down where the upstream names none, if other keys can take over.
constexpr std::chrono::seconds short_rest{1};
/// Longer ones are not taken literally.
constexpr std::chrono::minutes longest_rest{10};

double seconds(std::chrono::nanoseconds x) {
  return std::chrono::duration<double>(x).count();
}

} // namespace

attempt_ticket upstream_state::start(time_point now, const std::vector<std::size_t>& tried) {
  ++outstanding_;
  auto key = keys.take(now, tried);
  if (!key)
    key = keys.take(now); // all were tried, but not just now
  return {key.value_or(0), breaker.started(now), now};
}

void upstream_state::begun(attempt_ticket& x, time_point now, std::chrono::nanoseconds ttft) {
  observe(now, ttft);
  if (x.decides)
    breaker.succeeded(now, true);
  x.decides = false;
}

void upstream_state::completed(const attempt_ticket& x, time_point now,
                               std::optional<std::chrono::nanoseconds> ttft) {
  --outstanding_;
  breaker.succeeded(now, x.decides);
  keys.accepted(x.key, now);
  if (ttft)
    observe(now, *ttft);
}

void upstream_state::failed(const attempt_ticket& x, time_point now, const failure& why) {
  --outstanding_;
  switch (rule_for(why.kind).upstream) {
  case health::works:
    breaker.succeeded(now, x.decides);
    break;
  case health::fails:
    breaker.failed(now, x.decides, x.began);
    break;
  case health::unknown:
    breaker.abandoned(x.decides);
  }
  // Who is silent is slow, too.
  if (why.kind == error_kind::upstream_first_token_timeout
      || why.kind == error_kind::upstream_connect_timeout)
    observe(now, now - x.began);
  note_key(x.key, now, why);
}

void upstream_state::note_key(std::size_t key, time_point now, const failure& why) {
  const auto fault = rule_for(why.kind).key;
  if (fault == key_fault::refused)
    keys.refused(key, now);
  if (fault != key_fault::limited)
    return;
  const auto asked = retry_after_of(why).value_or(std::chrono::milliseconds{0});
  if (asked > std::chrono::milliseconds{0})
    keys.limited(key, now + std::min<std::chrono::milliseconds>(asked, longest_rest));
  else if (keys.has_usable(now, {key}))
    keys.limited(key, now + short_rest);
}

void upstream_state::abandoned(const attempt_ticket& x) {
  --outstanding_;
  breaker.abandoned(x.decides);
}

failure upstream_state::problem(time_point now) const {
  if (!breaker.allows(now)) {
    failure out{error_kind::upstream_unavailable,
                "The upstream model fails at the moment and is left alone for a while. Please "
                "retry later."};
    out.retry_after = retry_after_text(breaker.open_until() - now);
    return out;
  }
  failure out{error_kind::upstream_rate_limited,
              "The upstream model takes no more requests at the moment. Please retry later."};
  if (keys.all_refused(now))
    out = {error_kind::upstream_auth_failed,
           "The upstream model refused the server's credentials. The operator of this server has "
           "to check the upstream's API keys."};
  out.retry_after = retry_after_text(keys.usable_at() - now);
  return out;
}

void upstream_state::observe(time_point now, std::chrono::nanoseconds ttft) {
  const auto sample = seconds(ttft);
  const auto old = std::exp(-seconds(now - observed_) / memory_seconds);
  ttft_ = ttft_ == 0 ? sample : ttft_ * old + sample * (1 - old);
  // Worse is believed at once, better little by little.
  ttft_ = std::max(ttft_, std::min(sample, 2 * ttft_));
  observed_ = now;
}

double upstream_state::ttft_seconds(time_point now) const {
  const auto age = seconds(now - observed_);
  return age > 3 * memory_seconds ? 0 : ttft_ * std::exp(-age / memory_seconds);
}

double upstream_state::load(time_point now) const {
  auto ttft = ttft_seconds(now);
  if (ttft == 0 && outstanding_ > 0)
    ttft = unproven_seconds;
  // Below a millisecond, differences are noise.
  ttft = std::max(ttft, 0.001);
  return static_cast<double>(outstanding_ + 1) / weight_ * ttft;
}

} // namespace lang_agent
