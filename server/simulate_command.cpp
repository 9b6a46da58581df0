#include "server/simulate_command.hpp"

#include "benchmarks/simulator/server.hpp"
#include "server/line_writer.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sys/resource.h>
#include <unistd.h>

namespace lang_agent {

namespace {

/// Of its lines; then requests wait.
constexpr std::size_t most_unwritten = 64 * 1024 * 1024;

/// As many connections as the system allows.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

simulator::server_options to_server_options(const simulate_options& options) {
  simulator::server_options out;
  if (!options.config_file.empty())
    out.simulated = simulator::load_settings(options.config_file);
  if (options.listen)
    out.simulated.listen = *options.listen;
  if (options.seed)
    out.simulated.seed = *options.seed;
  out.threads = options.threads;
  out.tls_certificate = options.tls_certificate;
  out.tls_key = options.tls_key;
  return out;
}

} // namespace

int run_simulate_command(const simulate_options& options) {
  std::signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();
  auto server_options = to_server_options(options);
  std::optional<line_writer> lines; // outlives the server, which writes
  if (!options.quiet) {
    lines.emplace(STDOUT_FILENO, most_unwritten, line_writer::when_full::wait);
    server_options.print = [&lines](std::string_view line) { lines->write(line); };
    server_options.on_stop = [&lines] { lines->end(); };
  }
  simulator::server server{server_options};
  std::fprintf(stderr, "listening url=%s\n", server.url().c_str());
  server.run();
  return EXIT_SUCCESS;
}

} // namespace lang_agent
