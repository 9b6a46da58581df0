#include "benchmarks/load/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace lang_agent::load {

namespace {

constexpr int half_bits = 9; ///< 512 buckets for each power of two
constexpr double ns_per_ms = 1e6;

std::size_t bucket_of(std::uint64_t x) {
  const auto shift = std::max(0, static_cast<int>(std::bit_width(x)) - half_bits - 1);
  return (static_cast<std::size_t>(shift) << half_bits) + static_cast<std::size_t>(x >> shift);
}

/// The middle of a bucket.
double value_of(std::size_t bucket) {
  constexpr std::size_t half = std::size_t{1} << half_bits;
  if (bucket < 2 * half)
    return static_cast<double>(bucket);
  const auto shift = static_cast<int>(bucket / half) - 1;
  const auto lowest = std::ldexp(static_cast<double>(bucket % half + half), shift);
  return lowest + std::ldexp(0.5, shift);
}

} // namespace

void histogram::record(duration x) {
  const auto ns = static_cast<std::uint64_t>(std::max<duration::rep>(x.count(), 0));
  const auto bucket = bucket_of(ns);
  if (bucket >= buckets_.size())
    buckets_.resize(bucket + 1);
  ++buckets_[bucket];
  min_ = count_ == 0 ? ns : std::min(min_, ns);
  max_ = std::max(max_, ns);
  sum_ += static_cast<double>(ns);
  ++count_;
}

void histogram::clear() {
  std::fill(buckets_.begin(), buckets_.end(), 0);
  count_ = min_ = max_ = 0;
  sum_ = 0;
}

double histogram::mean_ms() const {
  return count_ == 0 ? 0 : sum_ / static_cast<double>(count_) / ns_per_ms;
}

double histogram::min_ms() const {
  return static_cast<double>(min_) / ns_per_ms;
}

double histogram::max_ms() const {
  return static_cast<double>(max_) / ns_per_ms;
}

double histogram::quantile_ms(double q) const {
  if (count_ == 0)
    return 0;
  // The hair less keeps 0.9 of 10 at the ninth.
  const auto wanted = std::ceil(q * static_cast<double>(count_) - 1e-9);
  const auto rank = static_cast<std::uint64_t>(std::max(wanted, 1.0));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= rank)
      return std::clamp(value_of(i), static_cast<double>(min_), static_cast<double>(max_))
             / ns_per_ms;
  }
  return max_ms();
}

std::vector<std::pair<double, double>> histogram::curve() const {
  std::vector<std::pair<double, double>> out;
  if (count_ == 0)
    return out;
  out.emplace_back(0, min_ms());
  constexpr int parts = 8;
  for (double above = 1; above * static_cast<double>(count_) >= 1; above /= 2)
    for (int i = 1; i <= parts; ++i) {
      const auto q = 1 - above * (1 - 0.5 * i / parts);
      out.emplace_back(q, quantile_ms(q));
    }
  out.emplace_back(1, max_ms());
  return out;
}

} // namespace lang_agent::load
