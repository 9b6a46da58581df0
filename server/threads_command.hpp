/// `lang-agent threads ...`: looks into threads and moves them, offline on the database file or
/// online through the API.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace lang_agent {

enum class threads_action { list, show, export_, import, remove };

struct threads_options {
  threads_action action = threads_action::list;
  std::vector<std::string> ids = {};
  std::string file = {};    ///< of an export or import; empty: standard output or input
  bool all = false;         ///< export every thread
  bool yes = false;         ///< delete without asking
  bool json = false;        ///< JSON Lines instead of a table
  std::string tenant = {};  ///< offline; empty: the config's first
  std::string url = {};     ///< empty: offline
  std::string key = {};     ///< online
  std::string key_env = {}; ///< ... from an environment variable
  std::string config_file = {};
  std::optional<std::string> data_dir = {};
};

/// Returns the process's exit code. Throws `std::exception` with a message for a person.
int run_threads_command(const threads_options& options);

} // namespace lang_agent
