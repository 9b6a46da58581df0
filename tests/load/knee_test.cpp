#define CAF_SUITE load_knee
#include "tests/test.hpp"

#include "benchmarks/load/knee.hpp"
#include "benchmarks/load/load_list.hpp"

#include <cmath>

using namespace lang_agent;
using load::find_knee;
using load::is_saturated;
using load::parse_loads;
using load::sweep_point;

namespace {

/// A queue with one server that can do 100 a second, a tenth of which is noise.
std::vector<sweep_point> queue(std::initializer_list<double> rates) {
  std::vector<sweep_point> out;
  double noise = 0.9;
  for (const auto rate : rates) {
    const auto p99 = rate < 100 ? 46.0 / (1 - rate / 100) : 20'000.0;
    out.push_back({rate, std::min(rate, 100.0), p99 * noise});
    noise = noise < 1 ? 1.1 : 0.9;
  }
  return out;
}

} // namespace

CAF_TEST(the knee of a queue is near half of its capacity) {
  // throughput / latency is x (1 - x), the largest at x = 1/2
  const auto x = find_knee(queue({5, 10, 20, 40, 60, 80, 95, 120}));
  CAF_REQUIRE(x);
  CAF_CHECK(x->step == 4 || x->step == 5);
  CAF_CHECK_EQUAL(x->best, 8u);
  CAF_CHECK_NOT_EQUAL(x->why.find("beyond it p99 grew"), std::string::npos);
}

CAF_TEST(where latency does not grow the last step is the knee) {
  const auto x = find_knee({{1, 1, 10}, {2, 2, 10.5}, {4, 4, 9.8}});
  CAF_REQUIRE(x);
  CAF_CHECK_EQUAL(x->step, 3u);
  CAF_CHECK_NOT_EQUAL(x->why.find("try more load"), std::string::npos);
}

CAF_TEST(one slow step before the knee does not hide it) {
  const auto x = find_knee({{10, 10, 10}, {20, 20, 60}, {40, 40, 12}, {80, 45, 90}});
  CAF_REQUIRE(x);
  CAF_CHECK_EQUAL(x->step, 3u);
}

CAF_TEST(steps with errors are no knee) {
  const auto x = find_knee({{10, 10, 10}, {20, 20, 10}, {40, 35, 10, 0.12}});
  CAF_REQUIRE(x);
  CAF_CHECK_EQUAL(x->step, 2u);
  CAF_CHECK_EQUAL(x->best, 2u);
  CAF_CHECK_NOT_EQUAL(x->why.find("12.0 % of the requests failed"), std::string::npos);
}

CAF_TEST(a single step has no knee) {
  CAF_CHECK(!find_knee({{10, 10, 10}}));
}

CAF_TEST(a sweep ends after two steps that brought nothing) {
  CAF_CHECK(!is_saturated({{10, 10, 10}, {20, 20, 10}, {40, 20.1, 50}}));
  CAF_CHECK(is_saturated({{10, 10, 10}, {20, 20, 10}, {40, 20.1, 50}, {80, 19, 90}}));
  CAF_CHECK(!is_saturated({{10, 10, 10}, {20, 20, 10}, {40, 20.1, 50}, {80, 25, 90}}));
}

CAF_TEST(loads are a number or a list or a range) {
  using list = std::vector<double>;
  CAF_CHECK(parse_loads("2.5") == list({2.5}));
  CAF_CHECK(parse_loads("10,20,50") == list({10, 20, 50}));
  CAF_CHECK(parse_loads("10..80") == list({10, 20, 40, 80}));
  CAF_CHECK(parse_loads("10..25x1.5") == list({10, 15, 22.5}));
  for (const auto* wrong : {"", "0", "-1", "a", "10,", "20,10", "10,10", "10..", "..10", "20..10",
                            "1..10x1", "1..10x", "1..2x0.5", "inf", "nan", "1e9", "1..10x1.01x2"})
    CAF_CHECK(!parse_loads(wrong));
}
