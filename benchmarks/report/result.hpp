/// A result document of `lang-agent bench`, as it was read.
#pragma once

#include "benchmarks/report/report.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lang_agent::report {

/// What a latency is of; the order is that of tables. "Scheduled": counted from the time when the
/// schedule wanted the request.
enum metric : std::size_t { ttft, ttft_scheduled, itl, tpot, e2e, e2e_scheduled, queue_wait };

constexpr std::size_t metrics = 7;

std::string_view name_of(metric x);

/// The columns of a latency table.
enum quantile : std::size_t { least, p50, p90, p95, p99, p999, most };

constexpr std::size_t quantiles = 7;

std::string_view name_of(quantile x);

/// Milliseconds.
struct latency {
  std::array<std::optional<double>, quantiles> at = {};
  std::vector<std::pair<double, double>> cdf =
      {}; ///< (share of requests from 0 to 1, ms), ascending
};

/// What the server was asked to bear. Runs of different loads cannot be compared.
struct load {
  std::string loop = {};     ///< "open" or "closed"
  std::string arrivals = {}; ///< "" in a closed loop
  std::optional<double> rate = {};
  std::optional<double> concurrency = {};
  bool stream = false;
  double turns = 1;
  std::string history = {}; ///< "server" or "client"

  bool operator==(const load&) const = default;
};

struct goodput {
  std::string objectives = {}; ///< "TTFT 200 ms, end to end 900 ms"
  std::optional<double> requests_per_s = {};
  std::optional<double> share = {};
};

/// Nothing where an interval had none.
using series = std::vector<std::optional<double>>;

struct timeline {
  double interval_s = 1;
  series completed = {};
  series failed = {};
  series output_tokens = {};
  series in_flight = {};
  series ttft_p50_ms = {};
  series e2e_p50_ms = {};
  series e2e_p99_ms = {};
};

struct tenant {
  std::string name;
  double completed = 0;
  double failed = 0;
  double abandoned = 0;
  std::optional<double> e2e_p50_ms = {};
  std::optional<double> e2e_p99_ms = {};
};

struct server_cost {
  std::optional<double> cpu_us_per_request = {};
  std::optional<double> cpu_us_per_token = {};
  std::optional<double> rss_start_bytes = {};
  std::optional<double> rss_peak_bytes = {};
  std::optional<double> rss_end_bytes = {};
};

struct request_counts {
  double scheduled = 0;
  double started = 0;
  double completed = 0;
  double failed = 0;
  double abandoned = 0;
  double unfinished = 0;
};

struct throughput {
  std::optional<double> requests_per_s = {};
  std::optional<double> output_tokens_per_s = {};
  std::optional<double> input_tokens_per_s = {};
};

/// One target under one load, once.
struct run {
  std::string target = {};
  std::string url = {};
  std::optional<int> step = {}; ///< of a sweep, from 1
  load offered = {};
  double seconds = 0;
  request_counts requests = {};
  std::vector<std::pair<std::string, double>> errors = {}; ///< kind, how many: none without any
  throughput speed = {};
  std::optional<goodput> good = {};
  std::array<std::optional<latency>, metrics> latencies = {};
  timeline time = {};
  std::vector<tenant> tenants = {};
  std::optional<server_cost> server = {};
  std::optional<double> client_cpu_seconds = {};
};

struct sweep {
  std::optional<int> knee_step = {};
  std::optional<int> best_step = {};
  std::string why = {};
};

struct result {
  std::string label;
  std::string version = {};
  std::string started = {};
  std::string machine = {}; ///< "2 x AMD EPYC, Linux 6.1"
  std::vector<std::string> command = {};
  std::vector<run> runs = {}; ///< at least one
  std::optional<sweep> swept = {};
};

/// Throws std::runtime_error, which names the label and tells what to do, for what is no result.
result parse_result(std::string_view json, std::string label);

/// Throws for an empty list as well.
std::vector<result> parse_results(std::span<const labelled_result> results);

} // namespace lang_agent::report
