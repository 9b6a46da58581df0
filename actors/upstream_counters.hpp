/// What happened at each upstream, for those who watch the server. Written by the LLM pool, read
/// by anybody.
#pragma once

#include "messages/error.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace lang_agent {

struct upstream_counters {
  using count = std::atomic<std::uint64_t>;

  // Of attempts, from the start of the process.
  count completed{0};
  count cancelled{0};
  count broken_off{0}; ///< failed after the client had seen deltas
  count retries{0};    ///< failed ones that were followed by another in the same group
  count fallbacks{0};  ///< failed ones that were left to the next group
  std::array<count, error_kind_count> failed{};

  // Now.
  count outstanding{0};
  count resting_keys{0};
  count state{0}; ///< of its circuit breaker: 0 closed, 1 open, 2 half open
};

struct pool_counters {
  explicit pool_counters(const std::vector<std::string>& names)
      : upstreams(names.size()), upstream_names(names) {}

  std::vector<upstream_counters> upstreams;
  std::vector<std::string> upstream_names;
  std::atomic<std::uint64_t> waiting{0}; ///< orders without a place
  std::atomic<std::uint64_t> resting{0}; ///< orders between two attempts
};

} // namespace lang_agent
