/// The paths under /simulator: looks into the simulation and changes it while it runs.
#pragma once

#include "benchmarks/simulator/exchange.hpp"
#include "benchmarks/simulator/simulation.hpp"

#include <string>

namespace lang_agent::simulator {

bool is_control(const request& asked);

/// The whole answer.
std::string control(simulation& all, const request& asked);

/// The whole answer of GET .../models.
std::string list_models(const simulation& all, const request& asked);

} // namespace lang_agent::simulator
