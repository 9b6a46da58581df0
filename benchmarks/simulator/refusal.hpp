/// How a provider refuses a request: status, fields of the head, error object.
#pragma once

#include "benchmarks/simulator/faults.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace lang_agent::simulator {

struct refusal {
  int status = 500;
  std::string body = {};
  std::string fields = {}; ///< lines of the head, each with its end
};

/// Nothing when the rule's kind does not refuse.
std::optional<refusal> refusal_of(const fault_rule& rule, std::string_view key,
                                  std::string_view model);

/// What a provider says when it is at fault itself.
std::string server_error_body();

} // namespace lang_agent::simulator
