/// Which upstream an order goes to. No actor, no I/O.
#pragma once

#include "actors/upstream_state.hpp"
#include "actors/upstream_target.hpp"
#include "messages/turn.hpp"

#include <cstddef>
#include <optional>
#include <random>
#include <vector>

namespace lang_agent {

/// All upstreams, as they are now.
class upstream_choice {
public:
  using time_point = upstream_state::time_point;

  upstream_choice(const std::vector<upstream_target>& targets, const breaker_settings& breaker,
                  std::uint64_t seed);

  struct finding {
    std::optional<std::size_t> upstream = {}; ///< that can take it now
    bool busy = false;                        ///< one could, but has no place
  };

  /// Looks in the current group of an order, among those that have not failed it.
  finding look(const llm_order& order, time_point now);

  /// Whether nobody of a group may be asked.
  bool is_deserted(const std::vector<std::size_t>& members, time_point now) const;

  /// Whether a group has a place for anybody.
  bool has_place(const std::vector<std::size_t>& members, time_point now) const;

  /// Why no upstream of the route can take an order that was never tried: what is over first.
  failure problem(const llm_order& order, time_point now) const;

  upstream_state& operator[](std::size_t upstream) {
    return states_[upstream];
  }

  std::size_t size() const {
    return states_.size();
  }

  std::mt19937_64& random() {
    return random_;
  }

private:
  bool may_take(const llm_order& order, std::size_t upstream, time_point now) const;
  std::vector<upstream_state> states_;
  std::mt19937_64 random_;
};

} // namespace lang_agent
