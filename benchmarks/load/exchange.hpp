/// One request from its schedule to its end, and the conversation it belongs to.
#pragma once

#include "benchmarks/load/agenda.hpp"
#include "benchmarks/load/answer.hpp"
#include "benchmarks/load/trace.hpp"
#include "benchmarks/simulator/random.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

namespace lang_agent::load {

/// One simulated user's conversation: its turns come one after the other.
struct session {
  session(std::uint64_t number_, std::size_t tenant_, std::uint64_t seed)
      : number(number_), tenant(tenant_), random(seed) {}

  std::uint64_t number; ///< from 1, of its run
  std::size_t tenant;   ///< among the plan's
  simulator::random_source random;
  std::uint64_t turns = 0; ///< begun
  std::string history;     ///< earlier messages as JSON, where the client keeps them
  bool busy = false;
  std::deque<const trace_entry*> waiting = {}; ///< of a trace: due, behind the turn that runs
};

/// What a turn asks for.
struct turn {
  std::string prompt = {};
  std::optional<std::uint64_t> max_tokens = {};
  bool stream = true;
};

struct exchange {
  exchange(std::shared_ptr<session> from_, turn asked_, const expectation& wanted)
      : from(std::move(from_)), asked(std::move(asked_)), number(from->turns), reply(wanted) {}

  std::shared_ptr<session> from;
  turn asked;
  std::uint64_t number; ///< of the turn
  answer reply;
  time_point scheduled = {};     ///< when it should have been sent
  time_point sent = {};          ///< when its first byte was written; `time_point{}`: never
  time_point first = {};         ///< its first content came
  time_point last = {};          ///< its last content until now
  bool measured = false;         ///< scheduled in the time that is measured
  std::uint64_t reader_rate = 0; ///< bytes per second that the client takes; 0: all
  std::optional<time_point::duration> leaves_after = {}; ///< the client, when it was sent
};

} // namespace lang_agent::load
