/// `lang-agent bench`: loads any OpenAI-compatible server and measures it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lang_agent {

enum class bench_action : std::uint8_t {
  measure,
  compare, ///< results with each other
  report   ///< a page of one result
};

/// As on the command line; what is no number is read by the command.
struct bench_options {
  bench_action action = bench_action::measure;
  std::vector<std::string> files = {}; ///< results: to compare, or to report

  std::vector<std::string> targets = {};
  std::string key = {};
  std::string key_env = {};
  std::vector<std::string> tenants = {};
  std::vector<std::string> headers = {};
  std::string model = {};
  std::string ca_file = {};
  bool insecure = false;

  std::string rate = {};
  std::string concurrency = {};
  std::string trace_file = {};
  std::string arrivals = "poisson";
  std::string duration = {};
  std::optional<std::uint64_t> requests = {};
  std::string warmup = {};
  std::string ramp = "0";
  std::string drain = "30s";
  std::string timeout = "120s";
  std::string connect_timeout = "10s";
  std::size_t max_connections = 0; ///< 0: as many as there are descriptors
  std::size_t rounds = 1;
  std::uint64_t seed = 1;

  bool no_stream = false;
  bool no_usage = false;
  std::uint64_t turns = 1;
  std::string history = "client";
  std::string thread_field = "thread_id";
  std::string think_time = "0";
  std::string prompt_words = "16";
  std::string max_tokens = "0";
  std::string extra_body = {};
  double abandon_share = 0;
  std::string abandon_after = "1s";
  double slow_share = 0;
  std::uint64_t slow_rate = 1000;

  bool expect_echo = false;
  std::string slo_ttft = {};
  std::string slo_tpot = {};
  std::string slo_e2e = {};
  bool no_check = false;
  bool fail_on_errors = false;
  std::vector<int> server_pids = {};

  std::string json_file = {};
  std::string html_file = {};
  bool quiet = false;
  std::vector<std::string> command = {}; ///< the arguments, without secrets
};

/// Returns the process's exit code; wrong use is 2. Throws `std::exception` with a message for a
/// person.
int run_bench_command(const bench_options& options);

} // namespace lang_agent
