/// When the requests of an open loop are due.
#pragma once

#include "benchmarks/simulator/random.hpp"

#include <cstdint>

namespace lang_agent::load {

enum class arrival_kind : std::uint8_t {
  poisson, ///< independent of each other, as the requests of many people are
  constant ///< equal distances
};

/// Follows from its seed alone, never from how the target does.
class arrivals {
public:
  /// `rate` in 1/s; it grows from zero in the first `ramp` seconds.
  arrivals(arrival_kind kind, double rate, double ramp, std::uint64_t seed);

  /// The next one, in seconds since the start.
  double next();

private:
  arrival_kind kind_;
  double rate_;
  double ramp_;
  double expected_ = 0; ///< arrivals until now, in the mean
  bool first_ = true;
  simulator::random_source random_;
};

} // namespace lang_agent::load
