#include "actors/upstream_choice.hpp"

#include "actors/retry_rules.hpp"

#include <algorithm>

namespace lang_agent {

namespace {

bool contains(const std::vector<std::size_t>& list, std::size_t x) {
  return std::find(list.begin(), list.end(), x) != list.end();
}

} // namespace

upstream_choice::upstream_choice(const std::vector<upstream_target>& targets,
                                 const breaker_settings& breaker, std::uint64_t seed)
    : random_(seed) {
  for (const auto& x : targets)
    states_.emplace_back(x.keys, x.max_concurrency, x.weight, breaker);
}

bool upstream_choice::may_take(const llm_order& order, std::size_t upstream, time_point now) const {
  return !contains(order.progress.failed, upstream) && !contains(order.refusing, upstream)
         && states_[upstream].is_usable(now);
}

/// Power of two choices: the less loaded of two random candidates. Source: Mitzenmacher, "The Power
/// of Two Choices in Randomized Load Balancing", 2001. They are drawn while all are looked at
/// (reservoir sampling: Vitter, "Random Sampling with a Reservoir", 1985).
upstream_choice::finding upstream_choice::look(const llm_order& order, time_point now) {
  finding out;
  std::optional<std::size_t> second;
  std::size_t candidates = 0;
  for (const auto i : order.route->groups[order.progress.group].members) {
    if (!may_take(order, i, now))
      continue;
    if (states_[i].is_full()) {
      out.busy = true;
      continue;
    }
    // Somebody has to find out whether it has recovered.
    if (states_[i].breaker.now_is(now) == circuit_breaker::state::half_open)
      return {i, false};
    ++candidates;
    if (candidates <= 2) {
      (out.upstream ? second : out.upstream) = i;
      continue;
    }
    const auto place = std::uniform_int_distribution<std::size_t>{0, candidates - 1}(random_);
    if (place < 2)
      (place == 0 ? out.upstream : second) = i;
  }
  // Of equals, either.
  if (second && random_() % 2 == 0)
    std::swap(out.upstream, second);
  if (second && states_[*second].load(now) < states_[*out.upstream].load(now))
    out.upstream = second;
  return out;
}

bool upstream_choice::has_place(const std::vector<std::size_t>& members, time_point now) const {
  return std::any_of(members.begin(), members.end(), [&](std::size_t i) {
    return !states_[i].is_full() && states_[i].is_usable(now);
  });
}

bool upstream_choice::is_deserted(const std::vector<std::size_t>& members, time_point now) const {
  return std::none_of(members.begin(), members.end(),
                      [&](std::size_t i) { return states_[i].is_usable(now); });
}

failure upstream_choice::problem(const llm_order& order, time_point now) const {
  std::optional<failure> out;
  const auto wait_of = [](const failure& x) { return retry_after_of(x).value(); };
  for (const auto& group : order.route->groups)
    for (const auto i : group.members) {
      if (contains(order.refusing, i))
        continue;
      auto why = states_[i].problem(now);
      if (!out || wait_of(why) < wait_of(*out))
        out = std::move(why);
    }
  return out.value_or(internal_failure()); // the requester was told if all refuse
}

} // namespace lang_agent
