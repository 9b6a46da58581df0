#include "actors/upstream_choice.hpp"

#include "http/parameter_policy.hpp"

#include <algorithm>

namespace lang_agent {

namespace {

failure unsupported_parameter(const std::string& name, const std::string& model) {
  failure out{error_kind::invalid_request,
              "The parameter '" + name + "' is not supported with the model '" + model + "'."};
  out.param = name;
  out.code = "unsupported_parameter";
  return out;
}

} // namespace

upstream_choice::upstream_choice(upstream_list targets, const breaker_settings& breaker,
                                 std::uint64_t seed)
    : targets_(std::move(targets)), random_(seed) {
  for (const auto& x : *targets_)
    states_.emplace_back(x.keys, x.max_concurrency, x.weight, breaker);
}

upstream_choice::finding upstream_choice::look(const llm_order& order, time_point now) {
  const auto& progress = order.progress;
  finding out;
  std::vector<std::size_t> candidates;
  for (const auto i : order.route->groups[progress.group].members) {
    const bool has_failed =
        std::find(progress.failed.begin(), progress.failed.end(), i) != progress.failed.end();
    if (has_failed || !states_[i].is_usable(now) || !refused_by(i, order).empty())
      continue;
    if (states_[i].is_full())
      out.busy = true;
    else
      candidates.push_back(i);
  }
  if (!candidates.empty())
    out.upstream = pick(candidates, now);
  return out;
}

/// Power of two choices. Source: Mitzenmacher, "The Power of Two Choices in Randomized Load
/// Balancing", 2001.
std::size_t upstream_choice::pick(const std::vector<std::size_t>& candidates, time_point now) {
  if (candidates.size() == 1)
    return candidates.front();
  // Somebody has to find out whether it has recovered.
  for (const auto i : candidates)
    if (states_[i].breaker.now_is(now) == circuit_breaker::state::half_open)
      return i;
  using range = std::uniform_int_distribution<std::size_t>;
  const auto a = range{0, candidates.size() - 1}(random_);
  auto b = range{0, candidates.size() - 2}(random_);
  if (b >= a)
    ++b;
  const auto first = candidates[a];
  const auto second = candidates[b];
  return states_[first].load(now) <= states_[second].load(now) ? first : second;
}

std::string upstream_choice::refused_by(std::size_t upstream, const llm_order& order) const {
  const auto& policy = (*targets_)[upstream].policy;
  if (!policy || policy->refuse.empty())
    return {};
  return http::refused_parameter(order.parameters, *policy);
}

failure upstream_choice::problem(const llm_order& order, time_point now) const {
  std::optional<failure> out;
  std::string refused;
  for (const auto& group : order.route->groups)
    for (const auto i : group.members) {
      if (auto name = refused_by(i, order); !name.empty())
        refused = std::move(name);
      else if (!out)
        out = states_[i].problem(now);
    }
  return out ? *out : unsupported_parameter(refused, order.parameters.model);
}

} // namespace lang_agent
