#define CAF_SUITE load_arrivals
#include "tests/test.hpp"

#include "benchmarks/load/arrivals.hpp"

#include <cmath>
#include <vector>

using namespace lang_agent;
using load::arrival_kind;
using load::arrivals;

namespace {

std::vector<double> first(std::size_t count, arrivals of) {
  std::vector<double> out;
  while (out.size() < count)
    out.push_back(of.next());
  return out;
}

bool near(double x, double wanted, double tolerance) {
  return std::abs(x - wanted) <= tolerance * wanted;
}

} // namespace

CAF_TEST(constant arrivals have equal distances from the start) {
  const auto times = first(1001, {arrival_kind::constant, 50, 0, 1});
  CAF_CHECK_EQUAL(times.front(), 0.0);
  for (std::size_t i = 1; i < times.size(); ++i)
    CAF_REQUIRE(std::abs(times[i] - static_cast<double>(i) / 50) < 1e-9);
}

CAF_TEST(poisson arrivals keep their rate and vary as independent ones do) {
  const std::size_t count = 100'000;
  const auto times = first(count, {arrival_kind::poisson, 200, 0, 1});
  CAF_CHECK(near(times.back(), static_cast<double>(count) / 200, 0.01));
  double squares = 0;
  for (std::size_t i = 1; i < count; ++i) {
    CAF_REQUIRE(times[i] >= times[i - 1]);
    squares += std::pow((times[i] - times[i - 1]) * 200 - 1, 2);
  }
  CAF_CHECK(near(squares / static_cast<double>(count), 1, 0.03));
}

CAF_TEST(arrivals follow from their seed) {
  const auto one = first(100, {arrival_kind::poisson, 10, 1, 7});
  CAF_CHECK(one == first(100, {arrival_kind::poisson, 10, 1, 7}));
  CAF_CHECK(one != first(100, {arrival_kind::poisson, 10, 1, 8}));
}

CAF_TEST(in the ramp the rate grows from nothing) {
  const auto times = first(1000, {arrival_kind::constant, 100, 4, 1});
  std::size_t in_first_half = 0;
  std::size_t in_ramp = 0;
  std::size_t in_next_second = 0;
  for (const auto t : times) {
    in_first_half += t < 2;
    in_ramp += t < 4;
    in_next_second += t >= 4 && t < 5;
  }
  CAF_CHECK_EQUAL(in_first_half, 50u); // a quarter of ...
  CAF_CHECK_EQUAL(in_ramp, 200u);      // ... half of what a full rate would bring
  CAF_CHECK_EQUAL(in_next_second, 100u);
}
