/// The command line.
#pragma once

#include "config/loader.hpp"
#include "server/admin_command.hpp"
#include "server/bench_command.hpp"
#include "server/simulate_command.hpp"
#include "server/threads_command.hpp"

#include <optional>
#include <string>

namespace lang_agent {

struct command_line {
  std::string config_file; ///< empty: the built-in config
  config_overrides overrides;
  bool check_config = false;
  std::optional<admin_options> admin;       ///< set: this is what to do, instead of serving
  std::optional<threads_options> threads;   ///< set: this is what to do, instead of serving
  std::optional<simulate_options> simulate; ///< likewise
  std::optional<bench_options> bench;       ///< likewise
};

/// Prints help, version or an error by itself; then `exit_code` is set and there is nothing to do.
struct parsed_command_line {
  command_line options;
  std::optional<int> exit_code;
};

parsed_command_line parse_command_line(int argc, const char* const* argv);

} // namespace lang_agent
