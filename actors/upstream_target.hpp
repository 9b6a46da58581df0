/// An upstream as the LLM pool and its clients know it. Immutable; goes by its number in the list.
#pragma once

#include "http/upstream.hpp"
#include "messages/chat.hpp"
#include "messages/parameter_policy.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lang_agent {

struct upstream_target {
  std::string name;
  std::shared_ptr<http::upstream> http;
  std::optional<parameter_policy> policy = {}; ///< none: requests go as they are
  std::size_t keys = 0;
  unsigned weight = 1;
  std::size_t max_concurrency = 20'000;
  std::chrono::milliseconds total_timeout{600'000};
  std::chrono::milliseconds probe_interval{0}; ///< 0: it is not probed
};

using upstream_list = std::shared_ptr<const std::vector<upstream_target>>;

} // namespace lang_agent
