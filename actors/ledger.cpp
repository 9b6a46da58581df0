#include "actors/ledger.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace lang_agent {

namespace {

using which = limit_hit::limit;

std::string in_seconds(std::chrono::nanoseconds x) {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(x).count();
  return ms < 1000 ? std::to_string(ms) + "ms" : std::to_string((ms + 999) / 1000) + "s";
}

failure with_wait(failure x, std::chrono::nanoseconds wait) {
  x.retry_after = std::to_string(std::chrono::ceil<std::chrono::seconds>(wait).count());
  x.retry_after_ms = std::to_string(std::chrono::ceil<std::chrono::milliseconds>(wait).count());
  return x;
}

/// A limit by the minute, in OpenAI's words.
failure rate_limit(const limit_hit& hit, const char* of, std::uint64_t wanted, const char* whose) {
  return with_wait({error_kind::rate_limit_exceeded,
                    std::string{"Rate limit reached for "} + whose + " on " + of
                        + " per minute: limit " + std::to_string(hit.size) + ", requested "
                        + std::to_string(wanted) + ". Please try again in " + in_seconds(hit.wait)
                        + "."},
                   hit.wait);
}

failure places(const limit_hit& hit, const char* what, const char* whose) {
  using namespace std::chrono_literals;
  return with_wait({error_kind::too_many_turns, std::string{"Too many "} + what + " at once for "
                                                    + whose + ": the limit is "
                                                    + std::to_string(hit.size) + "."},
                   1s);
}

failure quota(const char* period, const limit_hit& hit, bool is_cost, const char* whose) {
  std::string size = std::to_string(hit.size) + " tokens";
  if (is_cost) {
    std::array<char, 32> amount{};
    std::snprintf(amount.data(), amount.size(), "%.2f", static_cast<double>(hit.size) / 1e6);
    size = amount.data();
  }
  return with_wait({error_kind::insufficient_quota,
                    std::string{"You exceeded the quota of "} + whose + ": " + size + " for this "
                        + period + ", in UTC. It is renewed when the next " + period
                        + " begins; the operator of this server can raise it."},
                   hit.wait);
}

failure failure_of(const limit_hit& hit, const demand& wanted, const char* whose) {
  switch (hit.which) {
  case which::turns:
    return places(hit, "requests", whose);
  case which::streams:
    return places(hit, "streams", whose);
  case which::requests:
    return rate_limit(hit, "requests", wanted.requests, whose);
  case which::tokens:
    return rate_limit(hit, "tokens", wanted.tokens, whose);
  case which::tokens_at_once: {
    failure out{error_kind::rate_limit_exceeded,
                "The request is too large for " + std::string{whose} + ": it may take "
                    + std::to_string(wanted.tokens) + " tokens, and the limit is "
                    + std::to_string(hit.size)
                    + " per minute. Shorten the thread or the prompt, or lower max_tokens."};
    out.is_final = true;
    return out;
  }
  case which::day_tokens:
    return quota("day", hit, false, whose);
  case which::day_cost:
    return quota("day", hit, true, whose);
  case which::month_tokens:
    return quota("month", hit, false, whose);
  case which::month_cost:
    return quota("month", hit, true, whose);
  }
  return internal_failure();
}

constexpr const char* of_tenant = "your account";
constexpr const char* of_the_key = "your API key";

moment real_now() {
  return {std::chrono::steady_clock::now(), unix_now()};
}

/// The one of which less is left.
std::optional<rate_left> tighter(const std::optional<rate_left>& a,
                                 const std::optional<rate_left>& b) {
  if (!a || !b)
    return a ? a : b;
  return a->remaining <= b->remaining ? a : b;
}

} // namespace

std::uint64_t answer_limit(const chat_parameters& x) {
  constexpr std::int64_t common = 1024;
  constexpr std::int64_t most = 1'000'000'000;
  const auto each = std::clamp(x.max_tokens.value_or(common), std::int64_t{0}, most);
  return static_cast<std::uint64_t>(each) * x.choices;
}

reservation::reservation(std::shared_ptr<ledger> from, charge what, demand held, rates_left left)
    : ledger_(std::move(from)), what_(std::move(what)), held_(held), left_(left) {}

reservation::~reservation() {
  if (ledger_) // else it was refused
    ledger_->settle(*this);
}

std::optional<failure> reservation::hold_tokens(std::uint64_t tokens) {
  return ledger_->hold_more(*this, tokens);
}

usage_row reservation::row_of(const token_usage& x) const {
  return ledger_->row_of(what_, {x.prompt, x.completion, x.estimated}, turn_outcome::answered,
                         ledger_->now_().wall);
}

ledger::ledger(std::string tenant, recorder record, clock now,
               std::shared_ptr<std::atomic<std::size_t>> all)
    : tenant_(std::move(tenant)),
      record_(std::move(record)),
      now_(now ? std::move(now) : clock{real_now}),
      all_turns_(all ? std::move(all) : std::make_shared<std::atomic<std::size_t>>(0)) {}

void ledger::set_limits(const usage_limits& own, const usage_limits& of_each_key,
                        const limits_by_key& of_keys) {
  const std::lock_guard lock{mutex_};
  const auto now = now_();
  max_connections_ = own.max_connections;
  own_.set_limits(own, now);
  key_limits_ = of_each_key;
  limits_of_keys_ = of_keys;
  for (auto& [id, key] : keys_)
    key.set_limits(limits_of(id), now);
}

void ledger::restore(const std::string& key, const past_use& x, unix_ms at) {
  const std::lock_guard lock{mutex_};
  (key.empty() ? own_ : of_key(key, now_())).restore(at, x);
}

const usage_limits& ledger::limits_of(const std::string& key) const {
  const auto found = limits_of_keys_.find(key);
  return found == limits_of_keys_.end() ? key_limits_ : found->second;
}

allowance& ledger::of_key(const std::string& key, const moment& now) {
  const auto [at, is_new] = keys_.try_emplace(key);
  if (is_new)
    at->second.set_limits(limits_of(key), now);
  return at->second;
}

std::variant<reservation_ptr, failure> ledger::reserve(charge what) {
  const demand wanted{1, what.tokens, what.price.of(0, what.tokens), what.stream};
  // Made outside of the lock, and before anything is taken: memory may run out.
  auto out = std::make_shared<reservation>(nullptr, std::move(what), wanted, rates_left{});
  const std::lock_guard lock{mutex_};
  const auto now = now_(); // under the lock: time never goes back for a bucket
  auto& key = of_key(out->what_.key, now);
  if (const auto hit = own_.check(wanted, now))
    return failure_of(*hit, wanted, of_tenant);
  if (const auto hit = key.check(wanted, now))
    return failure_of(*hit, wanted, of_the_key);
  own_.take(wanted, now);
  key.take(wanted, now);
  ++turns_;
  ++*all_turns_;
  out->ledger_ = shared_from_this();
  out->left_ = rates_now(key, now);
  return out;
}

std::optional<failure> ledger::hold_more(reservation& x, std::uint64_t tokens) {
  const std::lock_guard lock{mutex_};
  if (tokens <= x.held_.tokens)
    return std::nullopt;
  const auto now = now_();
  demand more;
  more.tokens = tokens - x.held_.tokens;
  more.cost = x.what_.price.of(more.tokens, 0);
  auto& key = of_key(x.what_.key, now);
  auto whole = more;
  whole.tokens = tokens;
  if (const auto hit = own_.check_more(more, x.held_.tokens, now))
    return failure_of(*hit, whole, of_tenant);
  if (const auto hit = key.check_more(more, x.held_.tokens, now))
    return failure_of(*hit, whole, of_the_key);
  own_.add(more, now);
  key.add(more, now);
  x.held_.tokens += more.tokens;
  x.held_.cost += more.cost;
  return std::nullopt;
}

/// A request that came to no upstream counts only if it was answered all the same.
void ledger::settle(reservation& x) {
  moment now;
  const auto tokens = x.meter_.tokens();
  const auto outcome = x.meter_.outcome();
  demand used;
  used.requests = x.meter_.was_asked() || outcome == turn_outcome::answered ? 1 : 0;
  used.tokens = tokens.prompt + tokens.completion;
  used.cost = x.what_.price.of(tokens.prompt, tokens.completion);
  {
    const std::lock_guard lock{mutex_};
    now = now_();
    own_.settle(x.held_, used, now);
    of_key(x.what_.key, now).settle(x.held_, used, now);
    --turns_;
    --*all_turns_;
  }
  if (record_ && x.meter_.was_asked() && !x.recorded_)
    record_(row_of(x.what_, tokens, outcome, now.wall));
}

usage_row ledger::row_of(const charge& what, const metered_tokens& tokens, turn_outcome outcome,
                         unix_ms at) const {
  usage_counts out;
  out.requests = 1;
  out.estimated = tokens.estimated ? 1 : 0;
  out.cancelled = outcome == turn_outcome::cancelled ? 1 : 0;
  out.failed = outcome == turn_outcome::failed || outcome == turn_outcome::open ? 1 : 0;
  out.prompt_tokens = tokens.prompt;
  out.completion_tokens = tokens.completion;
  out.cost = static_cast<std::int64_t>(what.price.of(tokens.prompt, tokens.completion));
  return {{tenant_, what.key, what.model, day_of(at)}, out};
}

connection_place::connection_place(std::shared_ptr<ledger> of) : account(std::move(of)) {
  ++account->connections_;
}

connection_place::~connection_place() {
  --account->connections_;
}

/// Counts itself before it looks: two that come for the last place never both get it.
std::shared_ptr<connection_place> ledger::take_connection() {
  auto out = std::make_shared<connection_place>(shared_from_this());
  const auto limit = max_connections_.load();
  return limit == 0 || connections_ <= limit ? out : nullptr;
}

rates_left ledger::rates(const std::string& key) {
  const std::lock_guard lock{mutex_};
  const auto now = now_();
  return rates_now(of_key(key, now), now);
}

rates_left ledger::rates_now(allowance& key, const moment& now) const {
  const auto ours = own_.rates(now);
  const auto theirs = key.rates(now);
  return {tighter(ours.requests, theirs.requests), tighter(ours.tokens, theirs.tokens)};
}

} // namespace lang_agent
