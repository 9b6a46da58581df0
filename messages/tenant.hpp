/// A tenant as the config file or the admin API describes it. Plain data.
#pragma once

#include "messages/limits.hpp"
#include "messages/thread_policy.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace lang_agent {

struct tenant_settings {
  std::string name;              ///< its id
  std::vector<std::string> keys; ///< of the config only: the keys themselves
  usage_limits limits{.max_turns = 20'000};
  usage_limits key_limits; ///< of each key by itself
  storage_limits storage;
  unsigned weight = 1;              ///< its share of upstreams beside other tenants that wait
  std::size_t max_waiting = 10'000; ///< turns that wait for a place at their upstreams
  std::vector<std::string> models;  ///< that it may use; a "*" stands for anything; none: all
  std::chrono::milliseconds ttl{0}; ///< threads without a turn for so long are deleted; 0 = never
  std::optional<std::string> default_thread; ///< these three: instead of the thread settings'
  std::optional<busy_policy> on_busy;
  std::optional<disconnect_policy> on_disconnect;

  bool operator==(const tenant_settings&) const = default;
};

} // namespace lang_agent
