#define CAF_SUITE load_histogram
#include "tests/test.hpp"

#include "benchmarks/load/histogram.hpp"
#include "benchmarks/simulator/random.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

using namespace lang_agent;
using load::histogram;
using std::chrono::nanoseconds;

namespace {

/// From nanoseconds to hours, most of them short.
std::vector<double> record_many(histogram& into, std::size_t count) {
  simulator::random_source random{42};
  std::vector<double> out;
  for (std::size_t i = 0; i < count; ++i) {
    const auto ns = std::floor(std::exp(random.next() * 29));
    into.record(nanoseconds{static_cast<std::int64_t>(ns)});
    out.push_back(ns / 1e6);
  }
  std::sort(out.begin(), out.end());
  return out;
}

} // namespace

CAF_TEST(quantiles are those of the sorted values but for a thousandth) {
  histogram x;
  const auto sorted = record_many(x, 20'000);
  for (const auto q : {0.0001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
    const auto rank = static_cast<std::size_t>(std::ceil(q * 20'000 - 1e-9));
    const auto wanted = sorted[rank - 1];
    CAF_CHECK(std::abs(x.quantile_ms(q) - wanted) <= wanted / 1000);
  }
  CAF_CHECK_EQUAL(x.min_ms(), sorted.front());
  CAF_CHECK_EQUAL(x.max_ms(), sorted.back());
}

CAF_TEST(the mean is exact) {
  histogram x;
  for (const auto ms : {1, 2, 3, 10})
    x.record(std::chrono::milliseconds{ms});
  CAF_CHECK_EQUAL(x.mean_ms(), 4.0);
  CAF_CHECK_EQUAL(x.count(), 4u);
}

CAF_TEST(few values have the quantiles of their ranks) {
  histogram x;
  for (int ms = 1; ms <= 10; ++ms)
    x.record(std::chrono::milliseconds{ms});
  const auto about = [&](double q, double ms) { return std::abs(x.quantile_ms(q) - ms) < 0.01; };
  CAF_CHECK(about(0.5, 5));
  CAF_CHECK(about(0.9, 9));
  CAF_CHECK(about(0.91, 10));
}

CAF_TEST(an empty histogram is all zeros) {
  histogram x;
  CAF_CHECK_EQUAL(x.quantile_ms(0.5), 0.0);
  CAF_CHECK_EQUAL(x.mean_ms(), 0.0);
  CAF_CHECK(x.curve().empty());
  x.record(nanoseconds{5});
  x.clear();
  CAF_CHECK_EQUAL(x.max_ms(), 0.0);
  CAF_CHECK_EQUAL(x.count(), 0u);
}

CAF_TEST(less than nothing counts as nothing) {
  histogram x;
  x.record(nanoseconds{-5});
  CAF_CHECK_EQUAL(x.max_ms(), 0.0);
  CAF_CHECK_EQUAL(x.count(), 1u);
}

CAF_TEST(the curve rises from the least to the largest and is denser towards its end) {
  histogram x;
  record_many(x, 20'000);
  const auto curve = x.curve();
  CAF_CHECK(curve.size() > 80 && curve.size() < 150);
  CAF_CHECK_EQUAL(curve.front().first, 0.0);
  CAF_CHECK_EQUAL(curve.front().second, x.min_ms());
  CAF_CHECK_EQUAL(curve.back().first, 1.0);
  CAF_CHECK_EQUAL(curve.back().second, x.max_ms());
  for (std::size_t i = 1; i < curve.size(); ++i)
    CAF_REQUIRE(curve[i].first > curve[i - 1].first && curve[i].second >= curve[i - 1].second);
}
