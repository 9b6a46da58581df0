/// Who may answer a request. Upstreams go by their number in the config.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace lang_agent {

/// Upstreams that stand for one another. Equal groups of different routes are one group.
struct upstream_group {
  std::size_t number = 0; ///< among all groups
  std::vector<std::size_t> members = {};
};

/// Groups, each the fall-back of the one before it. At least one.
struct route {
  std::vector<upstream_group> groups;
};

using route_ptr = std::shared_ptr<const route>;

} // namespace lang_agent
