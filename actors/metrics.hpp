/// The figures that GET /metrics shows. Thread-safe: all sources are.
#pragma once

#include "actors/tenants.hpp"
#include "actors/upstream_counters.hpp"
#include "http/documents.hpp"

#include <cstddef>
#include <string>

namespace lang_agent {

/// What has no counters of its own.
struct server_gauges {
  std::size_t connections = 0;
  std::size_t actors = 0;
};

/// What the admin API shows of them.
http::server_state describe_state(const pool_counters& pool, const tenant_table& tenants,
                                  const server_gauges& now);

std::string metrics_document(const pool_counters& pool, const tenant_table& tenants,
                             const server_gauges& now);

} // namespace lang_agent
