#define CAF_SUITE simulator_distribution
#include "tests/test.hpp"

#include "benchmarks/simulator/distribution.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

using namespace lang_agent;
using simulator::distribution;
using simulator::random_source;
using simulator::unit;

namespace {

std::vector<double> samples(const std::string& text, unit of, std::uint64_t seed = 1) {
  const auto x = distribution::parse(text, of);
  if (!x)
    CAF_FAIL("not understood: " << text);
  random_source random{seed};
  std::vector<double> out(20'000);
  std::generate(out.begin(), out.end(), [&] { return x->sample(random); });
  return out;
}

/// By value: checks must not refer to a list that is gone.
double last(const std::vector<double>& x) {
  return x.back();
}

double mean(const std::vector<double>& x) {
  double sum = 0;
  for (const auto v : x)
    sum += v;
  return sum / static_cast<double>(x.size());
}

double deviation(const std::vector<double>& x) {
  const auto m = mean(x);
  double sum = 0;
  for (const auto v : x)
    sum += (v - m) * (v - m);
  return std::sqrt(sum / static_cast<double>(x.size()));
}

double median(std::vector<double> x) {
  std::nth_element(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(x.size() / 2), x.end());
  return x[x.size() / 2];
}

bool near(double x, double wanted, double tolerance = 0.03) {
  return std::abs(x - wanted) <= tolerance * wanted;
}

} // namespace

CAF_TEST(a constant is always the same) {
  for (const auto& [text, value] : std::vector<std::pair<std::string, double>>{
           {"0", 0}, {"0ms", 0}, {"20ms", 20}, {"1.5s", 1500}, {"500us", 0.5}, {"2m", 120'000}})
    CAF_CHECK_EQUAL(last(samples(text, unit::milliseconds)), value);
  CAF_CHECK_EQUAL(last(samples("50", unit::words)), 50.0);
  CAF_CHECK(distribution{}.is_zero());
  CAF_CHECK(distribution::parse("0s", unit::milliseconds)->is_zero());
  CAF_CHECK(!distribution::parse("uniform(0, 5)", unit::words)->is_zero());
}

CAF_TEST(samples have the shape that was asked for) {
  const auto uniform = samples("uniform(10ms, 30ms)", unit::milliseconds);
  CAF_CHECK(near(mean(uniform), 20));
  CAF_CHECK(*std::min_element(uniform.begin(), uniform.end()) >= 10);
  CAF_CHECK(*std::max_element(uniform.begin(), uniform.end()) <= 30);
  const auto exponential = samples("exponential(80)", unit::words);
  CAF_CHECK(near(mean(exponential), 80));
  CAF_CHECK(near(deviation(exponential), 80, 0.05));
  const auto normal = samples("normal(20ms, 5ms)", unit::milliseconds);
  CAF_CHECK(near(mean(normal), 20));
  CAF_CHECK(near(deviation(normal), 5, 0.05));
  const auto lognormal = samples(" lognormal( 20ms , 0.5 ) ", unit::milliseconds);
  CAF_CHECK(near(median(lognormal), 20));
  CAF_CHECK(near(mean(lognormal), 20 * std::exp(0.125)));
}

CAF_TEST(no sample is less than zero) {
  const auto x = samples("normal(1ms, 50ms)", unit::milliseconds);
  CAF_CHECK_EQUAL(*std::min_element(x.begin(), x.end()), 0);
}

CAF_TEST(the same seed gives the same samples) {
  CAF_CHECK(samples("exponential(80)", unit::words, 7)
            == samples("exponential(80)", unit::words, 7));
  CAF_CHECK(samples("exponential(80)", unit::words, 7)
            != samples("exponential(80)", unit::words, 8));
}

CAF_TEST(what is no distribution is refused) {
  for (const auto* text : {"",
                           "20",
                           "-5ms",
                           "20 ms",
                           "ms",
                           "nan",
                           "inf",
                           "20msx",
                           "uniform",
                           "uniform()",
                           "uniform(1ms)",
                           "uniform(3ms, 1ms)",
                           "uniform(1ms, 2ms",
                           "uniform(1ms, 2ms, 3ms)",
                           "exponential(1ms, 2ms)",
                           "poisson(3ms)",
                           "lognormal(20ms, 5ms)",
                           "normal(20ms, 5)",
                           "uniform(1ms, 2ms)x",
                           "99999999999ms"})
    CAF_CHECK_EQUAL(distribution::parse(text, unit::milliseconds).has_value(), false);
  for (const auto* text : {"20ms", "uniform(1, 2ms)", "many"})
    CAF_CHECK_EQUAL(distribution::parse(text, unit::words).has_value(), false);
}
