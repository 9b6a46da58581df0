#include "benchmarks/load/knee.hpp"

#include <algorithm>
#include <cstdio>

namespace lang_agent::load {

namespace {

constexpr double tolerable_failures = 0.01;

std::string text(const char* format, double a, double b) {
  char out[200];
  std::snprintf(out, sizeof out, format, a, b);
  return out;
}

double power(const sweep_point& x) {
  return x.p99_ms > 0 ? x.throughput / x.p99_ms : 0;
}

std::string reason(const sweep_point& at, const sweep_point* next) {
  if (!next)
    return "throughput still grew more than p99 at the last step: try more load";
  if (next->failed_share > tolerable_failures && at.failed_share <= tolerable_failures)
    return text("beyond it %.1f %% of the requests failed (before: %.1f %%)",
                100 * next->failed_share, 100 * at.failed_share);
  return text("beyond it p99 grew %.1fx while throughput grew %.0f %%",
              at.p99_ms > 0 ? next->p99_ms / at.p99_ms : 0,
              at.throughput > 0 ? 100 * (next->throughput / at.throughput - 1) : 0);
}

} // namespace

std::optional<knee> find_knee(const std::vector<sweep_point>& steps) {
  if (steps.size() < 2)
    return std::nullopt;
  const auto counts = [](const sweep_point& x) { return x.failed_share <= tolerable_failures; };
  const bool all_fail = std::none_of(steps.begin(), steps.end(), counts);
  const auto better = [&](auto figure) {
    return [&, figure](const sweep_point& a, const sweep_point& b) {
      const auto value = [&](const sweep_point& x) {
        return all_fail || counts(x) ? figure(x) : -1;
      };
      return value(a) < value(b);
    };
  };
  const auto at = std::max_element(steps.begin(), steps.end(), better(power));
  const auto best = std::max_element(steps.begin(), steps.end(),
                                     better([](const sweep_point& x) { return x.throughput; }));
  knee out;
  out.step = static_cast<std::size_t>(at - steps.begin()) + 1;
  out.best = static_cast<std::size_t>(best - steps.begin()) + 1;
  out.why = reason(*at, at + 1 == steps.end() ? nullptr : &*(at + 1));
  return out;
}

bool is_saturated(const std::vector<sweep_point>& steps) {
  constexpr std::size_t looked_at = 2;
  constexpr double worth_it = 1.03;
  if (steps.size() < looked_at + 1)
    return false;
  const auto last = steps.end() - looked_at;
  double best_before = 0;
  for (auto i = steps.begin(); i != last; ++i)
    best_before = std::max(best_before, i->throughput);
  return std::all_of(last, steps.end(), [&](const sweep_point& x) {
    return x.throughput < best_before * worth_it || x.failed_share > 0.5;
  });
}

} // namespace lang_agent::load
