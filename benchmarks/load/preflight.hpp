/// What is found out about a target before it is loaded.
#pragma once

#include "benchmarks/load/load_plan.hpp"
#include "benchmarks/load/place.hpp"

#include <functional>
#include <string>

namespace lang_agent::load {

/// The first model that the target lists; empty when it lists none.
std::string first_model(const load_plan& plan, const target& of);

/// Sends one request. Throws std::runtime_error that says what to do when its answer is not as it
/// has to be, or when `is_interrupted` (which may be empty) becomes true.
void check_target(const load_plan& plan, const target& of, const place& where,
                  const std::function<bool()>& is_interrupted = {});

} // namespace lang_agent::load
