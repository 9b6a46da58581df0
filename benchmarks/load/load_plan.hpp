/// What a load is: who asks for what, when, how, and for how long.
#pragma once

#include "benchmarks/load/arrivals.hpp"
#include "benchmarks/load/trace.hpp"
#include "benchmarks/simulator/distribution.hpp"
#include "messages/base_url.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lang_agent::load {

using simulator::distribution;

struct target {
  std::string name;
  std::string url;
  base_url where;
};

/// Who asks: a share of the conversations by its weight.
struct tenant {
  std::string name = "default";
  std::string key = {}; ///< empty: none is sent
  double weight = 1;
};

/// Limits that a good answer keeps. Nothing: no limit.
struct service_level {
  std::optional<double> ttft_ms = {};
  std::optional<double> tpot_ms = {};
  std::optional<double> e2e_ms = {};

  bool is_set() const {
    return ttft_ms || tpot_ms || e2e_ms;
  }
};

enum class history_kind : std::uint8_t {
  client, ///< each turn resends what came before
  server  ///< each turn sends what is new, and the id of its thread
};

struct load_plan {
  // When: an open loop by `rate`, a closed one by `concurrency`, or a trace.
  std::optional<double> rate = {}; ///< requests per second
  std::optional<std::size_t> concurrency = {};
  std::shared_ptr<const std::vector<trace_entry>> trace = {};
  arrival_kind arrival = arrival_kind::poisson;
  std::chrono::milliseconds ramp{0};
  std::chrono::milliseconds warmup{0};
  std::optional<std::chrono::milliseconds> duration = {}; ///< of measuring
  std::optional<std::uint64_t> requests = {};             ///< measured at most
  std::chrono::milliseconds drain{30'000};
  std::chrono::milliseconds timeout{120'000};
  std::chrono::milliseconds connect_timeout{10'000};
  std::size_t max_connections = 10'000;
  std::uint64_t seed = 1;

  // Who and what.
  std::vector<tenant> tenants{1};
  std::string model = "default";
  bool stream = true;
  bool ask_usage = true; ///< of streams
  std::uint64_t turns = 1;
  history_kind history = history_kind::client;
  std::string thread_field = "thread_id";
  distribution think_time = {};
  distribution prompt_words = {};
  distribution max_tokens = {}; ///< zero: not sent
  std::string extra_body = {};  ///< members of a JSON object, without its braces
  std::vector<std::pair<std::string, std::string>> headers = {};

  // How clients behave.
  double abandon_share = 0;
  distribution abandon_after = {};
  double slow_share = 0;
  std::uint64_t slow_rate = 0; ///< bytes per second

  // How answers are judged.
  bool expect_echo = false;
  service_level slo = {};
  std::string ca_file = {}; ///< PEM; empty: the system's
  bool insecure = false;    ///< certificates are not checked

  std::vector<int> server_pids = {}; ///< empty: found by the port, where it is on this machine
};

} // namespace lang_agent::load
