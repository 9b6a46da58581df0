/// The result as JSON, of the schema "lang-agent-bench/1": docs/bench.md.
#pragma once

#include "benchmarks/load/campaign.hpp"

#include <string>
#include <vector>

namespace lang_agent::load {

/// `command`: the arguments, without secrets.
std::string to_json(const campaign_result& x, const std::string& version,
                    const std::vector<std::string>& command);

} // namespace lang_agent::load
