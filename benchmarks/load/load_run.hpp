/// One load on one target.
#pragma once

#include "benchmarks/load/load_plan.hpp"
#include "benchmarks/load/place.hpp"
#include "benchmarks/load/run_result.hpp"

#include <functional>
#include <map>
#include <string>

namespace lang_agent::load {

/// What a run looks like while it goes on.
struct snapshot {
  std::string phase;   ///< "ramp", "warm-up", "measuring", "drain"
  double progress = 0; ///< of the whole run, from 0 to 1
  double seconds = 0;  ///< since its start
  std::uint64_t in_flight = 0;
  std::uint64_t connections = 0;
  std::uint64_t waiting = 0; ///< for a connection
  request_counts requests = {};
  std::map<std::string, std::uint64_t> errors = {};
  interval last = {}; ///< the last interval that is over
};

struct run_options {
  /// Gets a picture now and then. May be empty.
  std::function<void(const snapshot&)> show = {};
  std::chrono::milliseconds show_every{1000};
  /// Asked often; true ends the run, which then has the results so far. May be empty.
  std::function<bool()> is_interrupted = {};
};

/// Runs `plan` on `to`, which is at `where`, and waits for its end. Throws std::exception when a
/// certificate file is of no use.
run_result run_load(const load_plan& plan, const target& to, const place& where,
                    const run_options& options = {});

} // namespace lang_agent::load
