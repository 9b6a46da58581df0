#include "actors/metrics.hpp"

#include "http/metrics_text.hpp"

#include <array>

namespace lang_agent {

namespace {

using enum http::metric_type;

/// One sample for each upstream.
template <class Get>
void for_each_upstream(http::metrics_text& out, const pool_counters& pool, Get get) {
  for (std::size_t i = 0; i < pool.upstreams.size(); ++i)
    out.sample(get(pool.upstreams[i]), {{"upstream", pool.upstream_names[i]}});
}

void add_failures(http::metrics_text& out, const pool_counters& pool) {
  for (std::size_t i = 0; i < pool.upstreams.size(); ++i)
    for (std::size_t kind = 0; kind < error_kind_count; ++kind)
      if (const auto count = pool.upstreams[i].failed[kind].load()) {
        const auto code = contract_of(static_cast<error_kind>(kind)).code;
        out.sample(count, {{"upstream", pool.upstream_names[i]},
                           {"code", code.empty() ? "rejected" : code}});
      }
}

void add_upstreams(http::metrics_text& out, const pool_counters& pool) {
  const auto add = [&](std::string_view name, http::metric_type type, std::string_view help,
                       auto member) {
    out.metric(name, type, help);
    for_each_upstream(out, pool, [&](const auto& x) { return (x.*member).load(); });
  };
  using counters = upstream_counters;
  add("lang_agent_upstream_completed_total", counter, "Attempts with a complete answer.",
      &counters::completed);
  out.metric("lang_agent_upstream_failed_total", counter, "Failed attempts by error code.");
  add_failures(out, pool);
  add("lang_agent_upstream_broken_off_total", counter,
      "Attempts that failed after the client had seen a part of the answer.",
      &counters::broken_off);
  add("lang_agent_upstream_cancelled_total", counter, "Attempts that nobody wanted any more.",
      &counters::cancelled);
  add("lang_agent_upstream_retries_total", counter,
      "Failed attempts that were followed by another one in the same group.", &counters::retries);
  add("lang_agent_upstream_fallbacks_total", counter,
      "Failed attempts that were left to the next group.", &counters::fallbacks);
  add("lang_agent_upstream_outstanding", gauge, "Attempts under way.", &counters::outstanding);
  add("lang_agent_upstream_resting_keys", gauge, "Keys that are set aside or cool down.",
      &counters::resting_keys);
  add("lang_agent_upstream_breaker_state", gauge, "0 closed, 1 open, 2 half open.",
      &counters::state);
}

} // namespace

http::server_state describe_state(const pool_counters& pool, const tenant_table& tenants,
                                  const server_gauges& now) {
  constexpr std::array<std::string_view, 3> breakers{"closed", "open", "half_open"};
  http::server_state out;
  out.connections = now.connections;
  out.waiting = pool.waiting;
  out.resting = pool.resting;
  for (const auto& x : tenants.tenants())
    out.tenants.push_back(
        {x->name(), x->account->turns(), *x->account->waiting(), x->account->connections()});
  for (std::size_t i = 0; i < pool.upstreams.size(); ++i)
    out.upstreams.push_back({pool.upstream_names[i], pool.upstreams[i].outstanding,
                             breakers[pool.upstreams[i].state % breakers.size()]});
  return out;
}

std::string metrics_document(const pool_counters& pool, const tenant_table& tenants,
                             const server_gauges& now) {
  http::metrics_text out;
  out.metric("lang_agent_connections", gauge, "Open client connections.");
  out.sample(now.connections);
  out.metric("lang_agent_actors", gauge, "Running actors.");
  out.sample(now.actors);
  out.metric("lang_agent_turns_in_flight", gauge, "Turns that hold a permit of their tenant.");
  out.sample(tenants.turns());
  out.metric("lang_agent_orders_waiting", gauge, "Turns that wait for a free exchange.");
  out.sample(pool.waiting);
  out.metric("lang_agent_orders_resting", gauge, "Turns between two attempts.");
  out.sample(pool.resting);
  add_upstreams(out, pool);
  return out.text();
}

} // namespace lang_agent
