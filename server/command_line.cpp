#include "server/command_line.hpp"

#include "http/uri.hpp"
#include "server/bench_options.hpp"

#include <CLI/CLI.hpp>

#include <memory>

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
  app.add_option("--data-dir", out.overrides.data_dir, "Directory of the database with the threads")
      ->type_name("DIR");
  app.add_flag("--ephemeral", out.overrides.ephemeral,
               "Keep threads in memory: they are gone with the process");
  app.add_flag("--check-config", out.check_config, "Check the config and exit");
}

constexpr const char* threads_examples =
    "Examples:\n"
    "  lang-agent threads list\n"
    "      The threads in ./lang-agent-data, while no server runs on it.\n"
    "  lang-agent threads list --url http://localhost:8488 --key KEY\n"
    "      The threads of a running server.\n"
    "  lang-agent threads export --all -o backup.jsonl\n"
    "  lang-agent threads import backup.jsonl --url http://localhost:8488 --key KEY\n"
    "  lang-agent threads list --json | jq .id\n";

/// Where the threads are.
void add_source_options(CLI::App& app, threads_options& out) {
  const std::string offline = "Offline: the database file";
  const std::string online = "Online: the API of a running server";
  app.add_option("--config", out.config_file, "TOML file that names data_dir and tenants")
      ->type_name("FILE")
      ->group(offline);
  app.add_option("--data-dir", out.data_dir, "Directory of the database")
      ->type_name("DIR")
      ->group(offline);
  app.add_option("--tenant", out.tenant, "Whose threads; default: the config's first tenant")
      ->type_name("NAME")
      ->group(offline);
  app.add_option("--url", out.url, "Where the server listens, e.g. http://localhost:8488")
      ->type_name("URL")
      ->group(online);
  app.add_option("--key", out.key, "API key of the tenant; visible to other users of the machine")
      ->type_name("KEY")
      ->group(online);
  app.add_option("--key-env", out.key_env, "Environment variable that holds the key")
      ->type_name("NAME")
      ->group(online);
  app.add_flag("--json", out.json, "JSON Lines instead of text for people");
}

void add_threads_command(CLI::App& app, std::optional<threads_options>& out) {
  auto* threads = app.add_subcommand("threads", "List, show, export, import and delete threads");
  threads->require_subcommand(1);
  threads->footer(threads_examples);
  // CLI11 writes into it while parsing; `out` is set when one of the commands was given.
  const auto options = std::make_shared<threads_options>();
  const auto add = [&](const char* name, const char* help, threads_action action) {
    auto* command = threads->add_subcommand(name, help);
    add_source_options(*command, *options);
    command->callback([&out, options, action] {
      options->action = action;
      out = *options;
    });
    return command;
  };
  add("list", "A table of all threads, oldest first", threads_action::list);
  auto* show = add("show", "Threads with their messages", threads_action::show);
  show->add_option("ID", options->ids, "Thread ids")->required();
  auto* exporting = add("export", "Threads as JSON Lines, with all that an import needs",
                        threads_action::export_);
  exporting->add_option("ID", options->ids, "Thread ids");
  exporting->add_flag("--all", options->all, "Every thread of the tenant");
  exporting->add_option("-o,--output", options->file, "Default: standard output")
      ->type_name("FILE");
  auto* importing = add("import", "Threads of an export; ids must be free", threads_action::import);
  importing->add_option("FILE", options->file, "Default: standard input");
  auto* deleting = add("delete", "Threads, for good", threads_action::remove);
  deleting->add_option("ID", options->ids, "Thread ids")->required();
  deleting->add_flag("-y,--yes", options->yes, "Do not ask");
}

constexpr const char* admin_examples =
    "The key is taken from the environment variable LANG_AGENT_ADMIN_KEY.\n"
    "Examples:\n"
    "  lang-agent tenants list\n"
    "  echo '{\"requests_per_minute\":60}' | lang-agent tenants put acme\n"
    "      A new tenant, or all of its settings anew.\n"
    "  lang-agent keys create acme --label laptop --expires 90d\n"
    "      The key is shown this once.\n"
    "  lang-agent keys rotate key_x7... --overlap 1d\n"
    "      A new key; the old one stays good for a day.\n"
    "  lang-agent usage --from 2026-11-01 --tenant acme --csv > usage.csv\n";

/// Where the server is, and the key to its admin API.
void add_admin_options(CLI::App& app, admin_options& out) {
  app.add_option("--url", out.url, "Where the admin API is; default: http://localhost:8488")
      ->type_name("URL");
  app.add_option("--key", out.key, "Admin key; visible to other users of the machine")
      ->type_name("KEY");
  app.add_option("--key-env", out.key_env,
                 "Environment variable that holds it; default: LANG_AGENT_ADMIN_KEY")
      ->type_name("NAME");
}

/// A command of the admin API below `parent`.
CLI::App* add_admin_action(CLI::App& parent, const char* name, const char* help,
                           const std::shared_ptr<admin_options>& options,
                           std::optional<admin_options>& out, admin_action action) {
  auto* command = parent.add_subcommand(name, help);
  add_admin_options(*command, *options);
  command->callback([&out, options, action] {
    options->action = action;
    out = *options;
  });
  return command;
}

void add_tenants_command(CLI::App& app, std::optional<admin_options>& out) {
  auto* tenants = app.add_subcommand("tenants", "List, show, put and delete tenants of a server");
  tenants->require_subcommand(1);
  tenants->footer(admin_examples);
  const auto options = std::make_shared<admin_options>();
  const auto add = [&](const char* name, const char* help, admin_action action) {
    return add_admin_action(*tenants, name, help, options, out, action);
  };
  add("list", "All tenants, with their settings, as JSON", admin_action::list_tenants);
  auto* show = add("show", "One of them", admin_action::show_tenant);
  show->add_option("ID", options->id, "The tenant")->required();
  auto* put = add("put", "Make a tenant, or replace its settings", admin_action::put_tenant);
  put->add_option("ID", options->id, "The tenant")->required();
  put->add_option("FILE", options->file, "Its settings as JSON; default: standard input");
  auto* remove =
      add("delete", "A tenant and its keys; its threads stay", admin_action::delete_tenant);
  remove->add_option("ID", options->id, "The tenant")->required();
}

void add_keys_command(CLI::App& app, std::optional<admin_options>& out) {
  auto* keys = app.add_subcommand("keys", "List, create, change, rotate and delete API keys");
  keys->require_subcommand(1);
  keys->footer(admin_examples);
  const auto options = std::make_shared<admin_options>();
  const auto add = [&](const char* name, const char* help, const char* id, admin_action action) {
    auto* command = add_admin_action(*keys, name, help, options, out, action);
    command->add_option(id, options->id, "")->required();
    return command;
  };
  const auto describe = [&](CLI::App* command) {
    command->add_option("--label", options->label, "A name for people")->type_name("TEXT");
    command->add_option("--expires", options->expires, "From now, e.g. 90d; or \"never\"")
        ->type_name("DURATION");
    command
        ->add_option("--limits", options->limits,
                     "Of this key, e.g. '{\"requests_per_minute\":60}'; or \"none\": those that "
                     "the tenant has for each key")
        ->type_name("JSON");
  };
  add("list", "The keys of a tenant", "TENANT", admin_action::list_keys);
  describe(
      add("create", "A new key of a tenant; shown this once", "TENANT", admin_action::create_key));
  auto* change = add("change", "Label, expiry, limits, or whether it is good", "KEY-ID",
                     admin_action::change_key);
  describe(change);
  auto* disable = change->add_flag("--disable", options->disable, "Good no more");
  change->add_flag("--enable", options->enable, "Good again")->excludes(disable);
  add("rotate", "A new key in the place of one", "KEY-ID", admin_action::rotate_key)
      ->add_option("--overlap", options->overlap, "How long the old one stays good; default: 0s")
      ->type_name("DURATION");
  add("delete", "A key, at once and for good", "KEY-ID", admin_action::delete_key);
}

void add_usage_command(CLI::App& app, std::optional<admin_options>& out) {
  const auto options = std::make_shared<admin_options>();
  auto* usage = add_admin_action(app, "usage", "Requests, tokens and money by day, key and model",
                                 options, out, admin_action::usage);
  usage->footer(admin_examples);
  for (const auto& [option, help] :
       {std::pair{"--tenant", "Of this tenant"},
        {"--of-key", "Of the key with this id"},
        {"--model", "Of this model"},
        {"--from", "First day, e.g. 2026-11-01"},
        {"--to", "Last day; default: today"},
        {"--limit", "Rows of a page; default: 1000 (--csv: all pages)"},
        {"--after", "The \"next\" of the page before"}})
    usage->add_option_function<std::string>(
        option,
        [options, name = std::string{option}](const std::string& value) {
          const auto parameter = name == "--of-key" ? "key" : name.substr(2);
          options->query +=
              (options->query.empty() ? "" : "&") + parameter + "=" + http::percent_encoded(value);
        },
        help);
  usage->add_flag("--csv", options->csv, "CSV in place of JSON");
}

constexpr const char* simulate_description =
    "A model provider made of the built-in model, with the faults that you want: to test, measure\n"
    "and rehearse whatever talks to an OpenAI-compatible API. Prints a JSON line for each request.";

constexpr const char* simulate_examples =
    "Examples:\n"
    "  lang-agent simulate\n"
    "      Answers at once on http://127.0.0.1:8490/v1, whatever the key.\n"
    "  lang-agent --upstream http://127.0.0.1:8490/v1\n"
    "      In another terminal: the server in front of it.\n"
    "  curl -X PUT http://127.0.0.1:8490/simulator/faults --data-binary '\n"
    "      [[faults]]\n"
    "      kind = \"rate_limit\"\n"
    "      share = 0.1'\n"
    "      From now on a tenth of the requests is refused with 429. Without a body: none any "
    "more.\n"
    "  curl http://127.0.0.1:8490/simulator/state\n"
    "      What goes on and what went on; /simulator/log?since=0 has the requests.\n"
    "  lang-agent simulate --config config/simulator.toml --quiet --threads 2\n"
    "      With delays and lengths like a real model's. The file explains every key.\n"
    "\n"
    "All faults and paths: docs/simulator.md. SIGTERM or Ctrl-C: stop at once.";

void add_simulate_command(CLI::App& app, std::optional<simulate_options>& out) {
  auto* simulate = app.add_subcommand("simulate", "Run a simulated model provider, for tests");
  simulate->description(simulate_description);
  simulate->footer(simulate_examples);
  const auto options = std::make_shared<simulate_options>();
  simulate->add_option("--config", options->config_file, "TOML file; every key has a default")
      ->type_name("FILE");
  simulate->add_option("--listen", options->listen, "Default: 127.0.0.1:8490; port 0: any free one")
      ->type_name("ADDR:PORT");
  simulate->add_option("--seed", options->seed, "Of everything random; default: 1")->type_name("N");
  auto* certificate = simulate->add_option("--tls-cert", options->tls_certificate,
                                           "Serve https with this certificate chain (PEM)");
  auto* key = simulate->add_option("--tls-key", options->tls_key, "Its private key (PEM)");
  certificate->type_name("FILE")->needs(key);
  key->type_name("FILE")->needs(certificate);
  simulate->add_option("--threads", options->threads, "Threads that serve connections; default: 1")
      ->type_name("N")
      ->check(CLI::Range(1, 256));
  simulate->add_flag("--quiet", options->quiet, "Print no line for each request");
  simulate->callback([&out, options] { out = *options; });
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
  add_threads_command(app, out.options.threads);
  add_tenants_command(app, out.options.admin);
  add_keys_command(app, out.options.admin);
  add_usage_command(app, out.options.admin);
  add_simulate_command(app, out.options.simulate);
  add_bench_command(app, out.options.bench, argc, argv);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    out.exit_code = app.exit(e) == 0 ? 0 : 2;
  }
  return out;
}

} // namespace lang_agent
