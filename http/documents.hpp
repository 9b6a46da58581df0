/// The documents that never change while the server runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lang_agent::http {

/// GET /: the original service's info document, with our endpoints.
std::string info_document();

/// GET /health.
std::string health_document(bool healthy);

/// What a server is doing, for GET /admin/v1/state.
struct server_state {
  std::size_t connections = 0;
  std::uint64_t waiting = 0; ///< turns, for a place at their upstreams
  std::uint64_t resting = 0; ///< ... or for their next attempt

  struct tenant {
    std::string id;
    std::size_t turns = 0;   ///< in flight
    std::size_t waiting = 0; ///< of these, for a place at their upstreams
    std::size_t connections = 0;
  };
  std::vector<tenant> tenants = {};

  struct upstream {
    std::string name;
    std::uint64_t outstanding = 0;
    std::string_view breaker; ///< "closed", "open", "half_open"
  };
  std::vector<upstream> upstreams = {};
};

std::string state_document(const server_state& x);

/// GET /v1/models/{id}: one model object. `created` is in Unix seconds.
std::string model_document(std::string_view id, std::int64_t created);

/// GET /v1/models.
std::string models_document(const std::vector<std::string>& ids, std::int64_t created);

} // namespace lang_agent::http
