/// All runs of one call of `lang-agent bench`: targets, rounds, the steps of a sweep.
#pragma once

#include "benchmarks/load/knee.hpp"
#include "benchmarks/load/load_run.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace lang_agent::load {

struct campaign {
  std::vector<target> targets = {};
  load_plan plan = {};
  /// More than one: a sweep over them, of one target. Each is a rate of an open loop, or a
  /// concurrency of a closed one.
  std::vector<double> loads = {};
  bool open_loop = false; ///< what `loads` are
  std::size_t rounds = 1; ///< of all targets, one after the other
  bool check_first = true;

  bool is_sweep() const {
    return loads.size() > 1;
  }
};

struct campaign_run {
  target of = {};
  std::size_t round = 1;
  std::optional<std::size_t> step = {}; ///< of a sweep, from 1
  load_plan plan = {};                  ///< with the load of this run
  run_result result = {};
};

struct campaign_result {
  std::string started = {};            ///< UTC, "2026-11-23T11:00:00Z"
  std::vector<campaign_run> runs = {}; ///< in their order
  std::optional<knee> sweep = {};      ///< set for a sweep of two steps or more
};

struct campaign_options {
  /// `label` names the run: "new, round 2 of 3". May be empty.
  std::function<void(const std::string& label, const snapshot&)> show = {};
  std::chrono::milliseconds show_every{1000};
  /// A run is over. May be empty.
  std::function<void(const campaign_run&)> on_run = {};
  /// Something to tell the user. May be empty.
  std::function<void(const std::string&)> note = {};
  std::function<bool()> is_interrupted = {};
};

/// Throws std::runtime_error that says what to do when a target cannot be measured.
campaign_result run_campaign(campaign all, const campaign_options& options);

} // namespace lang_agent::load
