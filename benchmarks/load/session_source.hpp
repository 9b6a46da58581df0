/// Who asks, and what: the conversations of a run. Follows from the plan's seed alone.
#pragma once

#include "benchmarks/load/exchange.hpp"
#include "benchmarks/load/load_plan.hpp"
#include "benchmarks/load/request_writer.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace lang_agent::load {

class session_source {
public:
  /// Both must outlive this.
  session_source(const load_plan& plan, const request_writer& writer);

  std::shared_ptr<session> next();

  /// The conversation that a request of the trace belongs to.
  std::shared_ptr<session> of(const trace_entry& x);

  /// Begins the next turn of a conversation.
  turn next_turn(session& of) const;
  turn next_turn(session& of, const trace_entry& x) const;

  /// Whether a conversation of the trace has a turn that runs or waits.
  bool is_any_busy() const;

private:
  const load_plan& plan_;
  const request_writer& writer_;
  simulator::random_source random_;
  double weights_; ///< of all tenants
  std::uint64_t count_ = 0;
  std::map<std::string, std::shared_ptr<session>> traced_; ///< by the trace's names
};

} // namespace lang_agent::load
