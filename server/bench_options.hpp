/// The command line of `lang-agent bench`.
#pragma once

#include "server/bench_command.hpp"

#include <CLI/App.hpp>

#include <optional>

namespace lang_agent {

/// Adds the command to `app`; `out` is set when it was given. `argc` and `argv` are what will be
/// parsed.
void add_bench_command(CLI::App& app, std::optional<bench_options>& out, int argc,
                       const char* const* argv);

} // namespace lang_agent
