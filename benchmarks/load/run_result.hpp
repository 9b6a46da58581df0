/// What one run measured.
#pragma once

#include "benchmarks/load/histogram.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lang_agent::load {

/// Of the requests that were scheduled in the measured time.
struct request_counts {
  std::uint64_t scheduled = 0;
  std::uint64_t started = 0; ///< written to a connection
  std::uint64_t completed = 0;
  std::uint64_t failed = 0;
  std::uint64_t abandoned = 0; ///< the client left, as it was to

  /// Neither, when the run ended.
  std::uint64_t unfinished() const {
    return scheduled - completed - failed - abandoned;
  }
};

/// What came in the measured time, whenever it was scheduled.
struct throughput {
  std::uint64_t requests = 0; ///< completed
  std::uint64_t stream_chunks = 0;
  std::uint64_t plain_tokens = 0; ///< output of answers that are no streams
  std::uint64_t input_tokens = 0;
};

struct latencies {
  histogram ttft, ttft_scheduled, itl, tpot, e2e, e2e_scheduled, queue_wait;
};

struct tenant_result {
  std::string name;
  std::uint64_t completed = 0;
  std::uint64_t failed = 0;
  std::uint64_t abandoned = 0;
  histogram e2e = {};
};

/// One interval; milliseconds, nothing where nothing ended.
struct interval {
  std::uint64_t completed = 0;
  std::uint64_t failed = 0;
  std::uint64_t output_tokens = 0;
  std::uint64_t in_flight = 0; ///< at its end
  std::optional<double> ttft_p50 = {};
  std::optional<double> e2e_p50 = {};
  std::optional<double> e2e_p99 = {};
};

struct server_usage {
  std::vector<int> pids;
  double cpu_seconds = 0;
  std::uint64_t rss_start = 0; ///< bytes
  std::uint64_t rss_peak = 0;
  std::uint64_t rss_end = 0;
};

struct run_result {
  double seconds = 0; ///< of measuring
  request_counts requests = {};
  std::map<std::string, std::uint64_t> errors = {};
  std::map<std::string, std::string> complaints = {}; ///< of some errors, what the first one said
  throughput came = {};
  std::uint64_t streamed_tokens = 0; ///< of completed streams, as the target counts them ...
  std::uint64_t streamed_chunks = 0; ///< ... and in how many chunks
  std::uint64_t good = 0;            ///< kept the service level
  latencies latency = {};
  std::vector<interval> timeline = {};
  double interval_seconds = 1;
  std::vector<tenant_result> tenants = {};
  std::optional<server_usage> server = {};
  bool server_ended = false; ///< one of its processes, so that there is nothing to tell of them
  double client_cpu_seconds = 0;
  histogram lateness = {}; ///< of the generator behind its schedule
  bool interrupted = false;
  bool names_threads = false; ///< the target told a thread

  double output_tokens_per_second() const;

  /// Why the figures may tell less of the target than they seem to, for people.
  std::vector<std::string> warnings() const;
};

} // namespace lang_agent::load
