#include "actors/routing.hpp"

#include "http/parameter_policy.hpp"

#include <algorithm>

namespace lang_agent {

namespace {

/// A missing list is one of all.
bool is_in(const std::vector<std::string>& names, std::string_view name) {
  return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
}

bool fits_one(std::string_view name, const std::vector<std::string>& patterns) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const auto& pattern) { return fits(name, pattern); });
}

std::size_t number_of(const std::vector<upstream_settings>& upstreams, const std::string& name) {
  const auto found = std::find_if(upstreams.begin(), upstreams.end(),
                                  [&](const auto& x) { return x.name == name; });
  return static_cast<std::size_t>(found - upstreams.begin());
}

} // namespace

bool fits(std::string_view name, std::string_view pattern) {
  std::size_t at = 0;
  std::size_t star = std::string_view::npos; // the last one, and where it began to stand for text
  std::size_t from = 0;
  std::size_t i = 0;
  while (i < name.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      from = i;
    } else if (at < pattern.size() && pattern[at] == name[i]) {
      ++at;
      ++i;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      i = ++from;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

routing_table::routing_table(const settings& x) {
  for (const auto& configured : x.routes) {
    auto where = std::make_shared<route>();
    for (const auto& names : configured.groups) {
      std::vector<std::size_t> members;
      for (const auto& name : names)
        members.push_back(number_of(x.upstreams, name));
      where->groups.push_back(group(std::move(members)));
    }
    routes_.push_back({configured.models, configured.tenants, std::move(where)});
  }
  std::map<std::string, std::vector<std::size_t>> listing;
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < x.upstreams.size(); ++i) {
    served_.push_back(served_models(x.upstreams[i]));
    policies_.push_back(x.upstreams[i].parameters);
    may_refuse_ = may_refuse_ || !policies_.back().refuse.empty();
    for (const auto& model : served_.back())
      listing[model].push_back(i);
    all.push_back(i);
  }
  for (const auto& [model, members] : listing)
    listed_.emplace(model, by_priority(x.upstreams, members));
  if (x.routing.unknown_model == unknown_model_policy::use_any)
    any_ = by_priority(x.upstreams, all);
}

upstream_group routing_table::group(std::vector<std::size_t> members) {
  std::sort(members.begin(), members.end());
  auto known = std::find(groups_.begin(), groups_.end(), members);
  if (known == groups_.end())
    known = groups_.insert(known, members);
  return {static_cast<std::size_t>(known - groups_.begin()), std::move(members)};
}

route_ptr routing_table::by_priority(const std::vector<upstream_settings>& upstreams,
                                     const std::vector<std::size_t>& members) {
  std::map<int, std::vector<std::size_t>> ranks;
  for (const auto i : members)
    ranks[upstreams[i].priority].push_back(i);
  auto out = std::make_shared<route>();
  for (auto& [priority, equal] : ranks)
    out->groups.push_back(group(std::move(equal)));
  return out;
}

route_ptr routing_table::find(std::string_view tenant, std::string_view model) const {
  for (const auto& x : routes_)
    if (is_in(x.tenants, tenant) && fits_one(model, x.models))
      return x.where;
  const auto found = listed_.find(model);
  return found != listed_.end() ? found->second : any_;
}

routing_table::refusals routing_table::refused(const route& where, const chat_parameters& x) const {
  refusals out;
  if (!may_refuse_)
    return out;
  bool all = true;
  std::string parameter;
  for (const auto& each : where.groups)
    for (const auto i : each.members) {
      const auto found =
          policies_[i].refuse.empty() ? std::string{} : http::refused_parameter(x, policies_[i]);
      all = all && !found.empty();
      if (found.empty())
        continue;
      out.upstreams.push_back(i);
      parameter = found;
    }
  if (all)
    out.parameter = std::move(parameter);
  return out;
}

std::vector<std::string> routing_table::models(std::string_view tenant) const {
  std::vector<std::string> out;
  const auto add = [&](const std::string& name) {
    if (std::find(out.begin(), out.end(), name) == out.end())
      out.push_back(name);
  };
  for (const auto& x : routes_)
    if (is_in(x.tenants, tenant))
      for (const auto& name : x.models)
        if (name.find('*') == std::string::npos)
          add(name);
  for (const auto& names : served_)
    std::for_each(names.begin(), names.end(), add);
  return out;
}

} // namespace lang_agent
