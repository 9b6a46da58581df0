#include "config/loader.hpp"
#include "server/command_line.hpp"
#include "server/logging.hpp"
#include "server/server.hpp"

#include <cstdio>
#include <cstdlib>
#include <exception>

int main(int argc, char** argv) {
  using namespace lang_agent;
  const auto command = parse_command_line(argc, argv);
  if (command.exit_code)
    return *command.exit_code;
  try {
    if (command.options.threads)
      return run_threads_command(*command.options.threads);
    if (command.options.admin)
      return run_admin_command(*command.options.admin);
    if (command.options.simulate)
      return run_simulate_command(*command.options.simulate);
    if (command.options.bench)
      return run_bench_command(*command.options.bench);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "lang-agent: %s\n", e.what());
    return EXIT_FAILURE;
  }
  try {
    const auto& file = command.options.config_file;
    const auto load = [&] { return load_settings(file, command.options.overrides); };
    const auto config = load();
    if (command.options.check_config) {
      std::puts("The config is valid.");
      return EXIT_SUCCESS;
    }
    start_logging(config.log);
    const auto result = run_server(config, {file, load});
    stop_logging();
    return result;
  } catch (const config_error& e) {
    std::fprintf(stderr, "lang-agent: %s\n", e.what());
    return 2;
  } catch (const std::exception& e) {
    stop_logging();
    std::fprintf(stderr, "lang-agent: cannot run: %s\n", e.what());
    return EXIT_FAILURE;
  }
}
