/// What all connections share: the model's settings, the faults, the counts and the log.
#pragma once

#include "benchmarks/simulator/record.hpp"
#include "benchmarks/simulator/settings.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace lang_agent::simulator {

using clock = std::chrono::steady_clock;

/// What a request is answered with; later changes do not touch it.
struct call {
  std::uint64_t n = 0;
  std::shared_ptr<const model_settings> model;
  std::shared_ptr<const fault_rule> fault; ///< null: none
};

/// Thread-safe.
class simulation {
public:
  /// `print` gets each line of the log; may be empty.
  simulation(const settings& x, std::function<void(std::string_view)> print);

  std::uint64_t seed() const {
    return seed_;
  }

  /// The number of a new connection.
  std::uint64_t open_connection();
  void close_connection();

  /// The fault of a new connection, if it is to fail.
  std::shared_ptr<const fault_rule> connection_fault(std::uint64_t connection);

  /// Numbers a request and decides what becomes of it.
  call begin(std::string_view key, std::string_view model);

  /// Numbers a request that is none: it meets no fault.
  call begin_invalid();

  /// Ends a request; completes the record's times.
  void finish(record x, clock::time_point begun);

  /// An event of a connection that is no request.
  void add_connection_event(record x, clock::time_point begun);

  /// While one lives, the model has an answer more to produce.
  class producing {
  public:
    explicit producing(simulation& x) : all_(x) {
      ++all_.producing_;
    }
    ~producing() {
      --all_.producing_;
    }
    producing(const producing&) = delete;
    producing& operator=(const producing&) = delete;

  private:
    simulation& all_;
  };

  /// How much slower than alone the model is now.
  double slowness(const model_settings& model) const;

  void replace_faults(std::vector<fault_rule> rules);
  void replace_model(model_settings model);
  std::shared_ptr<const model_settings> model() const;

  std::string faults_json() const;
  std::string state_json() const;

  /// The log's lines from request number `first` on, as far as they are still kept.
  std::string lines_since(std::uint64_t first) const;

private:
  struct kept_line {
    std::uint64_t position;
    std::string text;
  };

  call number_request(const std::unique_lock<std::mutex>&);
  void add(record x, clock::time_point begun);

  const std::uint64_t seed_;
  const clock::time_point started_ = clock::now();
  const std::function<void(std::string_view)> print_;
  std::atomic<std::int64_t> producing_{0};

  mutable std::mutex mutex_;
  std::shared_ptr<const model_settings> model_;
  fault_chooser faults_;
  std::uint64_t accepted_ = 0;
  std::uint64_t connections_ = 0;
  std::uint64_t requests_ = 0;
  std::uint64_t active_ = 0;
  std::map<std::string, std::uint64_t> by_fault_;
  std::map<std::string, std::uint64_t> by_outcome_;
  std::deque<kept_line> lines_;
};

} // namespace lang_agent::simulator
