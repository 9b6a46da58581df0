/// Counts and times what happens in a run.
#pragma once

#include "benchmarks/load/exchange.hpp"
#include "benchmarks/load/load_plan.hpp"
#include "benchmarks/load/process_usage.hpp"
#include "benchmarks/load/run_result.hpp"

#include <optional>
#include <string>

namespace lang_agent::load {

class recorder {
public:
  /// `server`: the target's processes; nothing: they are not known.
  recorder(const load_plan& plan, std::vector<int> server);

  /// From now on it counts.
  void open(time_point now);

  /// From now on nothing comes in the measured time; what was scheduled in it may still end.
  void close(time_point now);

  bool is_open() const {
    return is_open_;
  }

  /// Requests that are measured and have no end yet.
  std::uint64_t unfinished() const {
    return out_.requests.unfinished();
  }

  void on_scheduled(const exchange& x);
  void on_sent(const exchange& x);
  /// Before `x.last` becomes `now`.
  void on_content(const exchange& x, std::uint32_t chunks, time_point now);
  void on_completed(const exchange& x, time_point now);
  void on_failed(const exchange& x, const std::string& kind);
  void on_abandoned(const exchange& x);
  void on_late(time_point::duration by);

  /// An interval is over.
  void end_interval(std::uint64_t in_flight);

  /// The last interval that is over; null before.
  const interval* last_interval() const {
    return out_.timeline.empty() ? nullptr : &out_.timeline.back();
  }

  run_result& result() {
    return out_;
  }
  const run_result& result() const {
    return out_;
  }

private:
  bool keeps_service_level(const exchange& x, time_point now) const;

  const load_plan& plan_;
  run_result out_;
  std::vector<int> server_;
  std::optional<process_usage> usage_;
  bool is_open_ = false;
  time_point opened_ = {};
  double client_cpu_at_start_ = 0;
  interval interval_ = {};
  histogram interval_ttft_;
  histogram interval_e2e_;
};

} // namespace lang_agent::load
