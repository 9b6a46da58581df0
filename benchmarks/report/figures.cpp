#include "benchmarks/report/figures.hpp"

#include "benchmarks/report/format.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>

namespace lang_agent::report {

namespace {

constexpr double mebibyte = 1024.0 * 1024.0;
constexpr auto throughput_group = "throughput";
constexpr auto server_group = "server";

double median(std::vector<double> x) {
  std::sort(x.begin(), x.end());
  const auto middle = x.size() / 2;
  return x.size() % 2 ? x[middle] : (x[middle - 1] + x[middle]) / 2;
}

std::vector<double> values_of(const point& x,
                              const std::function<std::optional<double>(const run&)>& of) {
  std::vector<double> out;
  for (const auto* round : x.rounds)
    if (const auto value = of(*round))
      out.push_back(*value);
  return out;
}

/// A member of what the server cost.
std::function<std::optional<double>(const run&)> cost(std::optional<double> server_cost::*member,
                                                      double unit = 1) {
  return [member, unit](const run& x) -> std::optional<double> {
    if (!x.server || !((*x.server).*member))
      return {};
    return *((*x.server).*member) / unit;
  };
}

std::function<std::optional<double>(const run&)> speed(std::optional<double> throughput::*member) {
  return [member](const run& x) { return x.speed.*member; };
}

const tenant* find_tenant(const run& x, const std::string& name) {
  const auto i = std::find_if(x.tenants.begin(), x.tenants.end(),
                              [&](const tenant& t) { return printable(t.name) == name; });
  return i == x.tenants.end() ? nullptr : &*i;
}

figure tenant_figure(const std::string& name, const char* column,
                     std::optional<double> tenant::*member) {
  return {.group = "tenant " + name + ": end to end, ms",
          .name = column,
          .direction = better::lower,
          .of = [name, member](const run& x) -> std::optional<double> {
            const auto* found = find_tenant(x, name);
            return found ? found->*member : std::nullopt;
          }};
}

/// Ranges that overlap show no difference; without rounds there is only rounding.
bool no_difference(const spread& base, const spread& other) {
  const auto has_rounds = base.low < base.high && other.low < other.high;
  if (has_rounds && base.low <= other.high && other.low <= base.high)
    return true;
  return std::abs(other.value - base.value) < 0.005 * std::abs(base.value);
}

/// Names of tenants; none when there is only one, whose figures are those of the run.
std::vector<std::string> tenant_names(const std::vector<const point*>& points) {
  std::vector<std::string> out;
  for (const auto* x : points)
    for (const auto& one : x ? tenants_of(*x) : std::vector<tenant>{})
      if (std::find(out.begin(), out.end(), one.name) == out.end())
        out.push_back(one.name);
  return out.size() > 1 ? out : std::vector<std::string>{};
}

} // namespace

std::optional<spread> spread_of(const point& x, const figure& of) {
  const auto values = values_of(x, of.of);
  if (values.empty())
    return {};
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const auto value = of.merged == merging::median     ? median(values)
                     : of.merged == merging::smallest ? *low
                                                      : *high;
  return spread{.value = value, .low = *low, .high = *high};
}

std::string range_text(const spread& x) {
  const auto low = format_figure(x.low);
  const auto high = format_figure(x.high);
  return low == high ? "" : low + "-" + high;
}

std::string to_text(const spread& x) {
  const auto range = range_text(x);
  return format_figure(x.value) + (range.empty() ? "" : " (" + range + ")");
}

figure latency_figure(metric of, quantile column) {
  return {.group = std::string{name_of(of)} + ", ms",
          .name = std::string{name_of(column)},
          .direction = better::lower,
          .of = [of, column](const run& x) -> std::optional<double> {
            const auto& found = x.latencies[of];
            return found ? found->at[column] : std::nullopt;
          },
          .merged = column == least  ? merging::smallest
                    : column == most ? merging::largest
                                     : merging::median};
}

figure requests_per_s() {
  return {throughput_group, "requests/s", better::higher, speed(&throughput::requests_per_s)};
}

figure output_tokens_per_s() {
  return {throughput_group, "output tokens/s", better::higher,
          speed(&throughput::output_tokens_per_s)};
}

figure failed_share() {
  return {throughput_group, "failed, %", better::lower, [](const run& x) -> std::optional<double> {
            const auto ended = x.requests.completed + x.requests.failed;
            if (ended <= 0)
              return {};
            return 100 * x.requests.failed / ended;
          }};
}

figure goodput_per_s() {
  return {"goodput", "requests/s", better::higher, [](const run& x) -> std::optional<double> {
            return x.good ? x.good->requests_per_s : std::nullopt;
          }};
}

figure cpu_per_request() {
  return {server_group, "CPU us/request", better::lower, cost(&server_cost::cpu_us_per_request)};
}

figure cpu_per_token() {
  return {server_group, "CPU us/token", better::lower, cost(&server_cost::cpu_us_per_token)};
}

figure rss_start() {
  return {server_group, "RSS at start, MiB", better::lower,
          cost(&server_cost::rss_start_bytes, mebibyte)};
}

figure rss_peak() {
  return {server_group, "RSS peak, MiB", better::lower,
          cost(&server_cost::rss_peak_bytes, mebibyte), merging::largest};
}

figure rss_end() {
  return {server_group, "RSS at end, MiB", better::lower,
          cost(&server_cost::rss_end_bytes, mebibyte)};
}

std::vector<figure> figures_of(const std::vector<const point*>& points) {
  std::vector<figure> out = {
      requests_per_s(),
      output_tokens_per_s(),
      {throughput_group, "input tokens/s", better::higher, speed(&throughput::input_tokens_per_s)},
      failed_share(),
      {throughput_group, "unfinished", better::lower,
       [](const run& x) -> std::optional<double> { return x.requests.unfinished; }},
      goodput_per_s(),
      {"goodput", "share, %", better::higher,
       [](const run& x) -> std::optional<double> {
         if (!x.good || !x.good->share)
           return {};
         return 100 * *x.good->share;
       }},
  };
  for (std::size_t i = 0; i < metrics; ++i)
    for (std::size_t j = 0; j < quantiles; ++j)
      out.push_back(latency_figure(static_cast<metric>(i), static_cast<quantile>(j)));
  for (const auto& name : tenant_names(points)) {
    out.push_back(tenant_figure(name, "p50", &tenant::e2e_p50_ms));
    out.push_back(tenant_figure(name, "p99", &tenant::e2e_p99_ms));
  }
  for (const auto& x : {cpu_per_request(), cpu_per_token(), rss_start(), rss_peak(), rss_end()})
    out.push_back(x);
  std::erase_if(out, [&](const figure& x) {
    return std::none_of(points.begin(), points.end(),
                        [&](const point* p) { return p && spread_of(*p, x); });
  });
  return out;
}

std::string_view name_of(verdict x) {
  return x == verdict::same ? "~" : x == verdict::better ? "better" : "worse";
}

comparison compare(const spread& base, const spread& other, better direction) {
  const auto ratio = base.value != 0    ? std::optional{other.value / base.value}
                     : other.value == 0 ? std::optional{1.0}
                                        : std::nullopt;
  if (other.value == base.value || no_difference(base, other))
    return {ratio, verdict::same};
  const auto is_better = (other.value > base.value) == (direction == better::higher);
  return {ratio, is_better ? verdict::better : verdict::worse};
}

std::string to_text(const comparison& x) {
  constexpr double least_shown = 0.01;
  std::array<char, 400> number{}; // the largest double has 309 digits
  if (x.ratio && *x.ratio > 0 && *x.ratio < least_shown)
    return "<0.01x " + std::string{name_of(x.result)};
  if (x.ratio)
    std::snprintf(number.data(), number.size(), "%.2fx ", *x.ratio);
  return number.data() + std::string{name_of(x.result)};
}

double sum(const point& x, const std::function<double(const run&)>& of) {
  double out = 0;
  for (const auto* round : x.rounds)
    out += of(*round);
  return out;
}

std::vector<std::pair<std::string, double>> errors_of(const point& x) {
  std::map<std::string, double> counts;
  for (const auto* round : x.rounds)
    for (const auto& [kind, n] : round->errors)
      counts[printable(kind)] += n;
  std::vector<std::pair<std::string, double>> out{counts.begin(), counts.end()};
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return out;
}

std::vector<tenant> tenants_of(const point& x) {
  std::vector<tenant> out;
  for (const auto* round : x.rounds)
    for (const auto& one : round->tenants) {
      const auto name = printable(one.name);
      auto i =
          std::find_if(out.begin(), out.end(), [&](const tenant& t) { return t.name == name; });
      if (i == out.end())
        i = out.insert(out.end(), {.name = name});
      i->completed += one.completed;
      i->failed += one.failed;
      i->abandoned += one.abandoned;
    }
  for (auto& one : out) {
    const auto merged = [&](std::optional<double> tenant::*member) -> std::optional<double> {
      const auto found = spread_of(x, tenant_figure(one.name, "", member));
      return found ? std::optional{found->value} : std::nullopt;
    };
    one.e2e_p50_ms = merged(&tenant::e2e_p50_ms);
    one.e2e_p99_ms = merged(&tenant::e2e_p99_ms);
  }
  return out;
}

} // namespace lang_agent::report
