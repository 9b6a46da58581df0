/// Where a rising load begins to cost more than it brings.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace lang_agent::load {

/// One step of a sweep.
struct sweep_point {
  double load = 0;         ///< requests per second, or concurrency: rises from step to step
  double throughput = 0;   ///< completed requests per second
  double p99_ms = 0;       ///< end to end from schedule
  double failed_share = 0; ///< of the requests that ended
};

struct knee {
  std::size_t step = 0; ///< from 1: the largest throughput for its latency
  std::size_t best = 0; ///< from 1: the largest throughput
  std::string why;
};

/// The step of the largest power (Kleinrock): throughput divided by latency. Steps with errors in
/// more than a hundredth of their answers do not count, if there are others. Nothing for less than
/// two steps.
std::optional<knee> find_knee(const std::vector<sweep_point>& steps);

/// Whether going on is in vain: the last two steps brought no more, or mostly errors.
bool is_saturated(const std::vector<sweep_point>& steps);

} // namespace lang_agent::load
