/// `lang-agent simulate`: a model provider for tests, benchmarks and rehearsals.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace lang_agent {

struct simulate_options {
  std::string config_file = {};
  std::optional<std::string> listen = {};
  std::optional<std::uint64_t> seed = {};
  std::string tls_certificate = {};
  std::string tls_key = {};
  std::size_t threads = 1;
  bool quiet = false; ///< print no log
};

/// Serves until SIGTERM or SIGINT; returns the process's exit code. Throws `std::exception` with a
/// message for a person.
int run_simulate_command(const simulate_options& options);

} // namespace lang_agent
