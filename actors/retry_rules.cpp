#include "actors/retry_rules.hpp"

#include <algorithm>
#include <charconv>

namespace lang_agent {

retry_rule rule_for(error_kind kind) {
  switch (kind) {
  // The key is the matter: another one may do.
  case error_kind::upstream_rate_limited:
    return {true, true, true, health::works, key_fault::limited};
  case error_kind::upstream_auth_failed:
    return {true, false, true, health::works, key_fault::refused};
  case error_kind::upstream_forbidden:
    return {true, false, true, health::works, key_fault::suspect};
  // Of the moment, as a rule.
  case error_kind::upstream_unreachable:
  case error_kind::upstream_connect_timeout:
  case error_kind::upstream_tls_timeout:
  case error_kind::upstream_error:
  case error_kind::upstream_cut:
    return {false, true, true, health::fails};
  // It would take as long again, or be the same again.
  case error_kind::upstream_tls_failed:
  case error_kind::upstream_timeout:
  case error_kind::upstream_first_token_timeout:
  case error_kind::upstream_idle_timeout:
    return {false, false, true, health::fails};
  // The request is the matter.
  case error_kind::upstream_rejected:
  case error_kind::context_too_long:
  case error_kind::upstream_answer_too_long:
    return {false, false, false, health::works};
  // The turn has had its time, or the fault is ours.
  default:
    return {};
  }
}

std::optional<std::chrono::milliseconds> retry_after_of(const failure& x) {
  std::uint32_t seconds = 0;
  const auto* end = x.retry_after.data() + x.retry_after.size();
  const auto [stop, problem] = std::from_chars(x.retry_after.data(), end, seconds);
  if (problem != std::errc{} || stop != end)
    return std::nullopt;
  return std::chrono::seconds{seconds};
}

std::string retry_after_text(std::chrono::nanoseconds x) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(x).count();
  return std::to_string(std::max<std::int64_t>(seconds, 1));
}

std::optional<std::chrono::milliseconds> retry_delay(const retry_settings& settings,
                                                     unsigned attempt, const failure& why,
                                                     std::mt19937_64& random) {
  const auto doublings = std::min(attempt > 0 ? attempt - 1 : 0, 20U);
  const auto longest =
      std::min(settings.base_delay * (std::int64_t{1} << doublings), settings.max_delay);
  const std::chrono::milliseconds pause{
      std::uniform_int_distribution<std::int64_t>{0, longest.count()}(random)};
  const auto asked = retry_after_of(why).value_or(std::chrono::milliseconds{0});
  if (asked > settings.max_delay)
    return std::nullopt;
  return std::max(pause, asked);
}

} // namespace lang_agent
