#include "server/command_line.hpp"

#include <CLI/CLI.hpp>

namespace lang_agent {

namespace {

constexpr const char* description =
    "lang-agent: an OpenAI-compatible chat server that remembers.\n"
    "Clients send a thread_id and what is new; the server keeps the conversation.";

constexpr const char* examples =
    "Examples:\n"
    "  lang-agent\n"
    "      Serve the built-in model on http://localhost:8488.\n"
    "  UPSTREAM_API_KEY=sk-... lang-agent --upstream https://api.openai.com/v1 \\\n"
    "      --upstream-key-env UPSTREAM_API_KEY --model gpt-4o-mini\n"
    "      Serve a model of a provider.\n"
    "  lang-agent --config my.toml --check-config\n"
    "      Check a config file. All its keys are explained in config/lang-agent.toml.\n"
    "\n"
    "SIGTERM or Ctrl-C: finish the running turns, then stop. A second time: stop at once.";

/// `serve` is the default command: its options stand with and without it.
void add_options(CLI::App& app, command_line& out) {
  app.add_option("--config", out.config_file, "TOML file; without it the built-in config is used")
      ->type_name("FILE");
  app.add_option("--listen", out.overrides.listen, "Where clients connect")->type_name("ADDR:PORT");
  app.add_option("--upstream", out.overrides.upstream_url,
                 "Base URL of an OpenAI-compatible model server, e.g. http://localhost:11434/v1")
      ->type_name("URL");
  app.add_option("--upstream-key-env", out.overrides.upstream_key_env,
                 "Environment variable that holds the upstream's API key")
      ->type_name("NAME");
  app.add_option("--model", out.overrides.model,
                 "Model to ask the upstream for, whatever the request names")
      ->type_name("NAME");
  app.add_flag("--check-config", out.check_config, "Check the config and exit");
}

} // namespace

parsed_command_line parse_command_line(int argc, const char* const* argv) {
  parsed_command_line out;
  CLI::App app{description, "lang-agent"};
  app.footer(examples);
  app.set_version_flag("--version", "lang-agent " LANG_AGENT_VERSION);
  app.require_subcommand(0, 1);
  add_options(app, out.options);
  auto* serve = app.add_subcommand("serve", "Run the server (what happens without a command)");
  add_options(*serve, out.options);
  serve->footer(examples);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    out.exit_code = app.exit(e) == 0 ? 0 : 2;
  }
  return out;
}

} // namespace lang_agent
