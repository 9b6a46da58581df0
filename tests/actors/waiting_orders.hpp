/// Orders as they wait: nobody misses them.
#pragma once

#include "tests/test.hpp"

#include "messages/turn.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace lang_agent::test {

using time_point = std::chrono::steady_clock::time_point;

inline share_ptr share_for(const std::string& tenant, unsigned weight = 1,
                           std::size_t max_waiting = 100'000) {
  return std::make_shared<const queue_share>(queue_share{tenant, weight, max_waiting});
}

/// Without a prompt: it costs its answer's limit.
inline order_ptr order_of(share_ptr share, std::int64_t tokens, time_point queued = {}) {
  auto x = std::make_shared<llm_order>(next_turn_id(), conversation_actor{}, request_actor{});
  x->forget();
  x->share = std::move(share);
  x->parameters.max_tokens = tokens;
  x->queued = queued;
  return x;
}

/// What tenants got, in tokens.
struct account {
  std::map<std::string, double> tokens;

  void add(const llm_order& x) {
    tokens[x.share->tenant] += static_cast<double>(*x.parameters.max_tokens);
  }
};

} // namespace lang_agent::test
