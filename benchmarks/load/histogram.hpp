/// Counts durations in buckets that are linear within each power of two: memory does not grow with
/// their number, and a quantile is wrong by a thousandth at most.
#pragma once

#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

namespace lang_agent::load {

class histogram {
public:
  using duration = std::chrono::nanoseconds;

  /// Less than zero counts as zero.
  void record(duration x);
  void clear();

  std::uint64_t count() const {
    return count_;
  }

  // The rest in milliseconds; zero when nothing is counted.
  double mean_ms() const;
  double min_ms() const;
  double max_ms() const;

  /// The smallest duration that a share `q` of all does not exceed.
  double quantile_ms(double q) const;

  /// (quantile, milliseconds) from the least to the largest: each step halves the share that is
  /// above in eight parts, as far as there are samples.
  std::vector<std::pair<double, double>> curve() const;

private:
  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  double sum_ = 0;
  std::uint64_t min_ = 0;
  std::uint64_t max_ = 0;
};

} // namespace lang_agent::load
