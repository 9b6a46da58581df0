/// The figures of a point, merged over its rounds, and how they stand beside those of another.
#pragma once

#include "benchmarks/report/subject.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace lang_agent::report {

enum class better : std::uint8_t { lower, higher };

/// What stands for all rounds.
enum class merging : std::uint8_t { median, smallest, largest };

struct figure {
  std::string group; ///< "TTFT, ms"; printable, as is the name
  std::string name;  ///< "p99"
  better direction;
  std::function<std::optional<double>(const run&)> of;
  merging merged = merging::median;
};

/// A figure over rounds.
struct spread {
  double value;
  double low;
  double high;
};

/// Nothing when no round has the figure.
std::optional<spread> spread_of(const point& x, const figure& of);

/// The lowest and the highest round, "1.18-1.31"; "" when they look alike.
std::string range_text(const spread& x);

/// "1.20", or with its range "1.20 (1.18-1.31)".
std::string to_text(const spread& x);

/// The figure of a latency's column.
figure latency_figure(metric of, quantile column);

figure requests_per_s();
figure output_tokens_per_s();
figure failed_share(); ///< of the requests that ended, in percent
figure goodput_per_s();
figure cpu_per_request();
figure cpu_per_token();
figure rss_start();
figure rss_peak();
figure rss_end();

/// All figures that at least one of the points has. Points may be null.
std::vector<figure> figures_of(const std::vector<const point*>& points);

enum class verdict : std::uint8_t {
  better,
  worse,
  same ///< to two digits, or the rounds' ranges overlap: no difference was shown
};

std::string_view name_of(verdict x);

struct comparison {
  std::optional<double> ratio; ///< other / base; nothing where the base is 0 and the other is not
  verdict result;
};

/// "0.84x better", "1.01x ~", "worse" without a ratio.
std::string to_text(const comparison& x);

comparison compare(const spread& base, const spread& other, better direction);

/// Counts of all rounds together.
double sum(const point& x, const std::function<double(const run&)>& of);

/// Errors of all rounds together, the most frequent first; kinds are printable.
std::vector<std::pair<std::string, double>> errors_of(const point& x);

/// Tenants of all rounds: counts are sums, latencies medians. Names are printable.
std::vector<tenant> tenants_of(const point& x);

} // namespace lang_agent::report
