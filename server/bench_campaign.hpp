/// What the options of `lang-agent bench` ask for.
#pragma once

#include "benchmarks/load/campaign.hpp"
#include "server/bench_command.hpp"

namespace lang_agent {

/// Raises the limit of descriptors on the way: connections need them. Throws `config_error` for
/// options that make no sense.
load::campaign campaign_of(const bench_options& options);

} // namespace lang_agent
