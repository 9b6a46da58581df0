#include "server/bench_options.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <string_view>

namespace lang_agent {

namespace {

constexpr const char* description =
    "Load any OpenAI-compatible server and measure it: time to the first token, between tokens "
    "and\n"
    "to the end, from the sending and from the schedule; throughput; wrong answers; the server's\n"
    "processor time and memory, where it runs on this machine.";

constexpr const char* examples =
    "Examples:\n"
    "  lang-agent bench --target http://localhost:11434/v1 --model llama3.2 --concurrency 4\n"
    "      Four users, one question after the other, for ten seconds.\n"
    "  lang-agent bench --target http://localhost:8000/v1 --rate 20 --duration 60s \\\n"
    "      --prompt-words \"lognormal(200, 0.6)\" --max-tokens 128 --slo-ttft 500ms\n"
    "      20 requests a second come, whether or not the server keeps up.\n"
    "  lang-agent bench --target http://localhost:8000/v1 --rate 5..640 --duration 20s\n"
    "      A sweep: 5, 10, 20 ... a second, up to the knee and a bit beyond.\n"
    "  lang-agent bench --target http://localhost:8488/v1 --key 123tangledup-ai \\\n"
    "      --history server --turns 5 --think \"exponential(2s)\" --concurrency 200\n"
    "      Conversations with a server that remembers, each in a thread of its own.\n"
    "  lang-agent bench --target old=http://localhost:8001/v1 --target "
    "new=http://localhost:8002/v1 \\\n"
    "      --rate 50 --rounds 5 --json result.json\n"
    "      Two servers, in turns.\n"
    "  lang-agent bench compare before.json after.json --html comparison.html\n"
    "      Two results, as ratios.\n"
    "\n"
    "A DISTRIBUTION is \"50\", \"uniform(X, Y)\", \"exponential(MEAN)\", \"normal(MEAN, "
    "DEVIATION)\" or\n"
    "\"lognormal(MEDIAN, SIGMA)\"; times have a unit: \"500us\", \"20ms\", \"1.5s\", \"2m\".\n"
    "Ctrl-C ends the load and shows what was measured; a second time ends at once.\n"
    "What each figure means, and the format of traces and results: docs/bench.md.";

void add_target_options(CLI::App& app, bench_options& out) {
  const std::string group = "Target";
  app.add_option("--target", out.targets,
                 "Base URL, such as http://localhost:8000/v1. Several take turns: give each a name")
      ->type_name("[NAME=]URL")
      ->allow_extra_args(false)
      ->group(group);
  app.add_option("--key", out.key, "API key; visible to other users of the machine")
      ->type_name("KEY")
      ->group(group);
  app.add_option("--key-env", out.key_env, "Environment variable that holds the key")
      ->type_name("NAME")
      ->group(group);
  app.add_option("--tenant", out.tenants,
                 "Several: who asks, with which share of the conversations, and with which key "
                 "(@VAR: of the environment)")
      ->type_name("NAME[:WEIGHT]=KEY")
      ->allow_extra_args(false)
      ->group(group);
  app.add_option("--header", out.headers, "Sent with each request, \"Name: value\"")
      ->type_name("TEXT")
      ->allow_extra_args(false)
      ->group(group);
  app.add_option("--model", out.model, "Default: the first that the target lists")
      ->type_name("NAME")
      ->group(group);
  app.add_option("--ca-file", out.ca_file, "Trusted instead of the system's authorities; PEM")
      ->type_name("FILE")
      ->group(group);
  app.add_flag("--insecure", out.insecure, "Do not check certificates")->group(group);
}

void add_load_options(CLI::App& app, bench_options& out) {
  const std::string group = "Load";
  app.add_option("--rate", out.rate,
                 "Open loop: requests per second, whatever the target does. Several are a sweep: "
                 "\"10,20,50\", \"10..80\" (doubling), \"10..80x1.5\"")
      ->type_name("LOADS")
      ->group(group);
  app.add_option("--concurrency", out.concurrency,
                 "Closed loop: users who each wait for their answer. Default: 8; several as above")
      ->type_name("LOADS")
      ->group(group);
  app.add_option("--trace", out.trace_file, "Replay the requests of a JSON Lines file")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--arrivals", out.arrivals, "Of an open loop: poisson (default) or constant")
      ->check(CLI::IsMember({"poisson", "constant"}))
      ->type_name("KIND")
      ->group(group);
  app.add_option("--duration", out.duration, "Of measuring; default: 10s")
      ->type_name("TIME")
      ->group(group);
  app.add_option("--requests", out.requests, "Measure so many requests, instead or at most")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->group(group);
  app.add_option("--warmup", out.warmup,
                 "Load that is not measured; default: 1s, 0 with --requests")
      ->type_name("TIME")
      ->group(group);
  app.add_option("--ramp", out.ramp, "Before that the load grows from nothing; default: 0")
      ->type_name("TIME")
      ->group(group);
  app.add_option("--drain", out.drain, "Wait for the last answers; default: 30s")
      ->type_name("TIME")
      ->group(group);
  app.add_option("--timeout", out.timeout, "Of a request; default: 120s")
      ->type_name("TIME")
      ->group(group);
  app.add_option("--connect-timeout", out.connect_timeout, "Default: 10s")
      ->type_name("TIME")
      ->group(group);
  app.add_option("--max-connections", out.max_connections,
                 "Requests wait for one of them; default: what the system allows")
      ->type_name("N")
      ->group(group);
  app.add_option("--rounds", out.rounds, "Repeat the runs of all targets; default: 1")
      ->type_name("N")
      ->check(CLI::Range(1, 1000))
      ->group(group);
  app.add_option("--seed", out.seed, "Of everything random; default: 1")
      ->type_name("N")
      ->group(group);
}

void add_request_options(CLI::App& app, bench_options& out) {
  const std::string group = "Requests";
  app.add_flag("--no-stream", out.no_stream, "Ask for plain answers")->group(group);
  app.add_flag("--no-usage", out.no_usage, "Do not ask streams for their usage")->group(group);
  app.add_option("--turns", out.turns, "Of a conversation; default: 1")
      ->type_name("N")
      ->check(CLI::Range(1, 100'000))
      ->group(group);
  app.add_option("--history", out.history,
                 "Who keeps conversations: the client (default; resends them), or the server (each "
                 "turn has its thread's id)")
      ->check(CLI::IsMember({"client", "server"}))
      ->type_name("WHO")
      ->group(group);
  app.add_option("--thread-field", out.thread_field, "Name of that id; default: thread_id")
      ->type_name("NAME")
      ->group(group);
  app.add_option("--think", out.think_time, "Pause of a user before the next request; default: 0")
      ->type_name("DISTRIBUTION")
      ->group(group);
  app.add_option("--prompt-words", out.prompt_words, "Default: 16")
      ->type_name("DISTRIBUTION")
      ->group(group);
  app.add_option("--max-tokens", out.max_tokens, "Of an answer; default: not sent")
      ->type_name("DISTRIBUTION")
      ->group(group);
  app.add_option("--extra-body", out.extra_body, "More members, e.g. '{\"temperature\": 0}'")
      ->type_name("JSON")
      ->group(group);
}

void add_behaviour_options(CLI::App& app, bench_options& out) {
  const std::string group = "Clients that are difficult";
  app.add_option("--abandon", out.abandon_share, "Share that leaves before its answer is complete")
      ->type_name("SHARE")
      ->check(CLI::Range(0.0, 1.0))
      ->group(group);
  app.add_option("--abandon-after", out.abandon_after, "When; default: 1s")
      ->type_name("DISTRIBUTION")
      ->group(group);
  app.add_option("--slow", out.slow_share, "Share that reads slowly")
      ->type_name("SHARE")
      ->check(CLI::Range(0.0, 1.0))
      ->group(group);
  app.add_option("--slow-rate", out.slow_rate, "Bytes per second that it takes; default: 1000")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->group(group);
}

void add_result_options(CLI::App& app, bench_options& out) {
  const std::string group = "Judgement and results";
  app.add_flag("--expect-echo", out.expect_echo,
               "The answer has to repeat the prompt, as the built-in model does")
      ->group(group);
  app.add_option("--slo-ttft", out.slo_ttft, "Goodput: limit of the time to the first token")
      ->type_name("TIME")
      ->group(group);
  app.add_option("--slo-tpot", out.slo_tpot, "Goodput: limit of the mean time of a token")
      ->type_name("TIME")
      ->group(group);
  app.add_option("--slo-e2e", out.slo_e2e, "Goodput: limit of the time to the end")
      ->type_name("TIME")
      ->group(group);
  app.add_flag("--no-check", out.no_check, "Do not try one request first")->group(group);
  app.add_flag("--fail-on-errors", out.fail_on_errors,
               "Exit code 1 when a request failed or had no end")
      ->group(group);
  app.add_option("--server-pid", out.server_pids,
                 "Whose processor time and memory to count; default: who listens there")
      ->type_name("PID")
      ->allow_extra_args(false)
      ->group(group);
  app.add_option("--json", out.json_file, "Write the result; \"-\": to standard output")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--html", out.html_file, "Write a page with tables and plots, for a browser")
      ->type_name("FILE")
      ->group(group);
  app.add_flag("-q,--quiet", out.quiet, "Do not show the load while it runs")->group(group);
}

/// What is done with results that are there.
void add_result_commands(CLI::App& app, bench_options& out) {
  app.require_subcommand(0, 1);
  auto* compare = app.add_subcommand("compare", "Ratios of results to the first one");
  compare->add_option("FILE", out.files, "Results of --json")->required();
  compare->add_option("--html", out.html_file, "Write a page with both, too")->type_name("FILE");
  compare->callback([&out] { out.action = bench_action::compare; });
  auto* report = app.add_subcommand("report", "The tables of a result, and its page");
  report->add_option("FILE", out.files, "A result of --json")->required()->expected(1);
  report->add_option("-o,--html", out.html_file, "The page; without it the tables")
      ->type_name("FILE");
  report->callback([&out] { out.action = bench_action::report; });
}

bool has_secret(std::string_view option) {
  return option == "--key" || option == "--header" || option == "--tenant";
}

/// What stands before the secret, such as a tenant's name.
std::string masked(std::string_view value) {
  const auto end = value.find_first_of("=:");
  return end == std::string_view::npos ? "***" : std::string{value.substr(0, end + 1)} + "***";
}

std::vector<std::string> without_secrets(int argc, const char* const* argv) {
  std::vector<std::string> out;
  for (int i = 2; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const auto equals = argument.find('=');
    if (has_secret(argument) && i + 1 < argc) {
      out.emplace_back(argument);
      out.push_back(argument == "--key" ? "***" : masked(argv[++i]));
      i += argument == "--key" ? 1 : 0;
    } else if (equals != std::string_view::npos && has_secret(argument.substr(0, equals))) {
      out.push_back(std::string{argument.substr(0, equals + 1)} + "***");
    } else {
      out.emplace_back(argument);
    }
  }
  return out;
}

} // namespace

void add_bench_command(CLI::App& app, std::optional<bench_options>& out, int argc,
                       const char* const* argv) {
  auto* bench = app.add_subcommand("bench", "Load any OpenAI-compatible server and measure it");
  bench->description(description);
  bench->footer(examples);
  const auto options = std::make_shared<bench_options>();
  add_target_options(*bench, *options);
  add_load_options(*bench, *options);
  add_request_options(*bench, *options);
  add_behaviour_options(*bench, *options);
  add_result_options(*bench, *options);
  add_result_commands(*bench, *options);
  options->command = without_secrets(argc, argv);
  bench->callback([&out, options] { out = *options; });
}

} // namespace lang_agent
