#define CAF_SUITE retry_rules
#include "tests/test.hpp"

#include "actors/retry_rules.hpp"

using namespace lang_agent;
using namespace std::chrono_literals;

namespace {

failure with_retry_after(const std::string& text) {
  failure out{error_kind::upstream_rate_limited, "slow"};
  out.retry_after = text;
  return out;
}

} // namespace

CAF_TEST(faults of requests and of ours are never retried) {
  using enum error_kind;
  for (const auto kind :
       {invalid_request, model_not_found, client_gone, shutting_down, overloaded, queue_timeout,
        internal, upstream_total_timeout, upstream_unavailable, storage_unavailable, thread_busy}) {
    const auto rule = rule_for(kind);
    CAF_CHECK(!rule.other_key && !rule.again && !rule.elsewhere);
    CAF_CHECK(rule.upstream == health::unknown && rule.key == key_fault::none);
  }
  for (const auto kind : {upstream_rejected, context_too_long, upstream_answer_too_long}) {
    const auto rule = rule_for(kind);
    CAF_CHECK(!rule.other_key && !rule.again && !rule.elsewhere);
    CAF_CHECK(rule.upstream == health::works && rule.key == key_fault::none);
  }
}

CAF_TEST(faults of the moment are tried again and everything of the upstream elsewhere) {
  using enum error_kind;
  for (const auto kind : {upstream_unreachable, upstream_connect_timeout, upstream_tls_timeout,
                          upstream_error, upstream_cut}) {
    const auto rule = rule_for(kind);
    CAF_CHECK(rule.again && rule.elsewhere && !rule.other_key);
    CAF_CHECK(rule.upstream == health::fails);
  }
  for (const auto kind : {upstream_tls_failed, upstream_timeout, upstream_first_token_timeout,
                          upstream_idle_timeout}) {
    const auto rule = rule_for(kind);
    CAF_CHECK(!rule.again && rule.elsewhere && rule.upstream == health::fails);
  }
}

CAF_TEST(faults of a key ask for another key and are no fault of the upstream) {
  using enum error_kind;
  for (const auto kind : {upstream_rate_limited, upstream_auth_failed, upstream_forbidden}) {
    const auto rule = rule_for(kind);
    CAF_CHECK(rule.other_key && rule.elsewhere && rule.upstream == health::works);
    CAF_CHECK_EQUAL(rule.again, kind == upstream_rate_limited);
  }
  CAF_CHECK(rule_for(upstream_rate_limited).key == key_fault::limited);
  CAF_CHECK(rule_for(upstream_auth_failed).key == key_fault::refused);
  CAF_CHECK(rule_for(upstream_forbidden).key == key_fault::suspect);
}

CAF_TEST(a pause is random up to a bound that doubles) {
  const retry_settings settings{.base_delay = 100ms, .max_delay = 1s};
  std::mt19937_64 random{1};
  for (const auto& [attempt, longest] :
       {std::pair{1U, 100ms}, std::pair{2U, 200ms}, std::pair{4U, 800ms}, std::pair{9U, 1000ms},
        std::pair{4'000'000'000U, 1000ms}}) {
    auto least = 1000ms;
    auto most = 0ms;
    for (int i = 0; i < 1000; ++i) {
      const auto pause =
          retry_delay(settings, attempt, {error_kind::upstream_error, "x"}, random).value();
      least = std::min(least, pause);
      most = std::max(most, pause);
    }
    CAF_CHECK_LESS(least, longest / 10);
    CAF_CHECK_GREATER(most, longest * 9 / 10);
    CAF_CHECK_LESS_OR_EQUAL(most, longest);
  }
}

CAF_TEST(retry - after is honoured unless it is too long) {
  const retry_settings settings{.base_delay = 100ms, .max_delay = 5s};
  std::mt19937_64 random{1};
  CAF_CHECK(retry_delay(settings, 1, with_retry_after("3"), random) == 3000ms);
  CAF_CHECK(retry_delay(settings, 1, with_retry_after("5"), random) == 5000ms);
  CAF_CHECK(!retry_delay(settings, 1, with_retry_after("6"), random));
  CAF_CHECK(retry_delay(settings, 1, with_retry_after("soon"), random).value() <= 100ms);
}

CAF_TEST(retry - after is read as whole seconds only) {
  CAF_CHECK(retry_after_of(with_retry_after("20")) == 20s);
  for (const auto* nonsense : {"", "-1", "1.5", "2s", " 2", "99999999999999999999"})
    CAF_CHECK(!retry_after_of(with_retry_after(nonsense)));
}

CAF_TEST(what clients are told to wait is whole seconds and at least one) {
  CAF_CHECK_EQUAL(retry_after_text(-5s), "1");
  CAF_CHECK_EQUAL(retry_after_text(1ms), "1");
  CAF_CHECK_EQUAL(retry_after_text(1001ms), "2");
}

CAF_TEST(retries are a share of turns after a reserve) {
  retry_budget budget{0.2};
  int allowed = 0;
  while (budget.withdraw())
    ++allowed;
  CAF_CHECK_EQUAL(allowed, 10);
  allowed = 0;
  for (int i = 0; i < 1000; ++i) {
    budget.deposit();
    allowed += budget.withdraw();
  }
  CAF_CHECK(allowed >= 199 && allowed <= 200);
}

CAF_TEST(a budget that was not used does not grow for ever) {
  retry_budget budget{0.2};
  for (int i = 0; i < 100'000; ++i)
    budget.deposit();
  int allowed = 0;
  while (budget.withdraw())
    ++allowed;
  CAF_CHECK_EQUAL(allowed, 100);
}

CAF_TEST(a budget of nothing allows nothing) {
  retry_budget budget{0};
  budget.deposit();
  CAF_CHECK(!budget.withdraw());
}
