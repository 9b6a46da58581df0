#include "benchmarks/report/figures.hpp"
#include "benchmarks/report/page_json.hpp"

#include <algorithm>
#include <array>

namespace lang_agent::report {

namespace {

using distribution = std::vector<std::pair<double, double>>;

/// Milliseconds at a share, between the points of a distribution that is not empty.
double at_share(const distribution& x, double share) {
  const auto right = std::lower_bound(x.begin(), x.end(), share,
                                      [](const auto& p, double s) { return p.first < s; });
  if (right == x.begin())
    return right->second;
  if (right == x.end())
    return x.back().second;
  const auto& left = *(right - 1);
  const auto part = (share - left.first) / (right->first - left.first);
  return left.second + part * (right->second - left.second);
}

/// The rounds' distributions of a metric, those that are not empty.
std::vector<const distribution*> distributions_of(const point& x, std::size_t of) {
  std::vector<const distribution*> out;
  for (const auto* round : x.rounds)
    if (const auto& found = round->latencies[of]; found && !found->cdf.empty())
      out.push_back(&found->cdf);
  return out;
}

/// As in tables: the medians of rounds between the least and the most of all rounds.
double merged_at(const std::vector<const distribution*>& rounds, double share) {
  std::vector<double> values;
  for (const auto* x : rounds)
    values.push_back(at_share(*x, share));
  std::sort(values.begin(), values.end());
  if (share <= 0)
    return values.front();
  if (share >= 1)
    return values.back();
  const auto middle = values.size() / 2;
  return (values[middle] + values[(values.size() - 1) / 2]) / 2;
}

void write_distribution(json_writer& out, const std::vector<const distribution*>& rounds) {
  if (rounds.empty()) {
    out.Null();
    return;
  }
  out.StartArray();
  for (const auto& [share, _] : *rounds.front())
    write_list(out, std::array<std::optional<double>, 2>{share, merged_at(rounds, share)});
  out.EndArray();
}

std::size_t length_of(const timeline& x) {
  return std::max({x.completed.size(), x.failed.size(), x.output_tokens.size(), x.in_flight.size(),
                   x.ttft_p50_ms.size(), x.e2e_p50_ms.size(), x.e2e_p99_ms.size()});
}

/// The runs of all points, one after the other.
std::vector<const run*> runs_of(const subject& x) {
  std::vector<const run*> out;
  for (const auto& p : x.points)
    out.insert(out.end(), p.rounds.begin(), p.rounds.end());
  return out;
}

/// Each run's own length, and nothing after it, so that lines break between runs.
void write_series(json_writer& out, const char* name, const std::vector<const run*>& runs,
                  series timeline::*of, bool per_second) {
  out.Key(name);
  out.StartArray();
  for (const auto* x : runs) {
    const auto& values = x->time.*of;
    for (std::size_t i = 0; i < length_of(x->time); ++i) {
      const auto value = i < values.size() ? values[i] : std::nullopt;
      write(out, value && per_second ? std::optional{*value / x->time.interval_s} : value);
    }
    out.Null();
  }
  out.EndArray();
}

void write_times(json_writer& out, const std::vector<const run*>& runs) {
  double start = 0;
  out.Key("seconds");
  out.StartArray();
  for (const auto* x : runs) {
    const auto n = length_of(x->time);
    for (std::size_t i = 0; i < n; ++i)
      out.Double(start + (static_cast<double>(i) + 0.5) * x->time.interval_s);
    start += static_cast<double>(n) * x->time.interval_s;
    out.Double(start);
  }
  out.EndArray();
}

std::string part_name(const run& x, std::size_t round, std::size_t rounds) {
  auto out = x.step ? amount_of(x.offered) : std::string{};
  if (rounds > 1)
    out += (out.empty() ? "" : ", ") + ("round " + std::to_string(round + 1));
  return out;
}

/// Where each run begins, in seconds of the timeline.
void write_parts(json_writer& out, const subject& of) {
  double start = 0;
  out.Key("parts");
  out.StartArray();
  for (const auto& p : of.points)
    for (std::size_t i = 0; i < p.rounds.size(); ++i) {
      const auto& x = *p.rounds[i];
      out.StartObject();
      member(out, "name", part_name(x, i, p.rounds.size()));
      member(out, "start", std::optional{start});
      out.EndObject();
      start += static_cast<double>(length_of(x.time)) * x.time.interval_s;
    }
  out.EndArray();
}

std::optional<double> value_of(const point& x, const figure& of) {
  const auto found = spread_of(x, of);
  return found ? std::optional{found->value} : std::nullopt;
}

} // namespace

void write_distributions(json_writer& out, const view& x) {
  out.Key("distributions");
  out.StartArray();
  for (std::size_t i = 0; i < metrics; ++i) {
    out.StartArray();
    for (const auto* p : x.members)
      write_distribution(out, p ? distributions_of(*p, i) : std::vector<const distribution*>{});
    out.EndArray();
  }
  out.EndArray();
}

void write_timeline(json_writer& out, const subject& x) {
  const auto runs = runs_of(x);
  out.Key("timeline");
  out.StartObject();
  write_parts(out, x);
  write_times(out, runs);
  write_series(out, "completed", runs, &timeline::completed, true);
  write_series(out, "failed", runs, &timeline::failed, true);
  write_series(out, "output_tokens", runs, &timeline::output_tokens, true);
  write_series(out, "in_flight", runs, &timeline::in_flight, false);
  write_series(out, "ttft_p50", runs, &timeline::ttft_p50_ms, false);
  write_series(out, "e2e_p50", runs, &timeline::e2e_p50_ms, false);
  write_series(out, "e2e_p99", runs, &timeline::e2e_p99_ms, false);
  out.EndObject();
}

void write_steps(json_writer& out, const subject& x) {
  const auto& swept = x.from->swept;
  out.Key("steps");
  out.StartArray();
  for (const auto& p : x.points) {
    const auto step = p.first().step;
    out.StartObject();
    member(out, "load", amount_of(p.first().offered));
    member(out, "knee", swept && step && swept->knee_step == step);
    member(out, "best", swept && step && swept->best_step == step);
    member(out, "requests_per_s", value_of(p, requests_per_s()));
    member(out, "output_tokens_per_s", value_of(p, output_tokens_per_s()));
    member(out, "goodput_per_s", value_of(p, goodput_per_s()));
    member(out, "failed_percent", value_of(p, failed_share()));
    member(out, "ttft_p50", value_of(p, latency_figure(ttft, p50)));
    member(out, "ttft_p99", value_of(p, latency_figure(ttft, p99)));
    member(out, "e2e_p50", value_of(p, latency_figure(e2e, p50)));
    member(out, "e2e_p99", value_of(p, latency_figure(e2e, p99)));
    member(out, "e2e_scheduled_p50", value_of(p, latency_figure(e2e_scheduled, p50)));
    member(out, "e2e_scheduled_p99", value_of(p, latency_figure(e2e_scheduled, p99)));
    member(out, "cpu_us_per_request", value_of(p, cpu_per_request()));
    out.EndObject();
  }
  out.EndArray();
}

} // namespace lang_agent::report
