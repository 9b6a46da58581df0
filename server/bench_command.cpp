#include "server/bench_command.hpp"

#include "benchmarks/load/campaign.hpp"
#include "benchmarks/load/live_view.hpp"
#include "benchmarks/load/result_document.hpp"
#include "benchmarks/report/report.hpp"
#include "config/loader.hpp"
#include "server/bench_campaign.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace lang_agent {

namespace {

std::atomic<bool> interrupted = false; // lock-free: a signal handler may set it

/// Words that stay on standard error, below them the picture again.
void say(load::live_view& view, const std::string& text) {
  view.clear();
  std::fprintf(stderr, "%s\n", text.c_str());
}

void tell_about(load::live_view& view, const load::campaign_run& x) {
  for (const auto& warning : x.result.warnings())
    say(view, "warning: " + x.of.name + ": " + warning);
  for (const auto& [kind, complaint] : x.result.complaints)
    say(view, x.of.name + " said with " + kind + ": " + complaint);
}

void write_file(const std::string& file, const std::string& content) {
  std::ofstream out{file, std::ios::binary};
  out << content;
  out.close();
  if (!out)
    throw std::runtime_error{"cannot write " + file};
}

void print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
}

void give(const bench_options& options, const std::string& json) {
  print(options.json_file == "-" ? json : report::summary_table(json));
  if (!options.json_file.empty() && options.json_file != "-")
    write_file(options.json_file, json);
  if (!options.html_file.empty())
    write_file(options.html_file, report::html_report(std::vector<report::labelled_result>{
                                      {options.targets.front(), json}}));
}

/// A result that is already there; its name is that of its file.
report::labelled_result read_result(const std::string& file) {
  std::ifstream in{file, std::ios::binary};
  std::ostringstream text;
  text << in.rdbuf();
  if (!in)
    throw config_error{"cannot read " + file};
  return {std::filesystem::path{file}.filename().string(), text.str()};
}

int show_results(const bench_options& options) {
  std::vector<report::labelled_result> results;
  for (const auto& file : options.files)
    results.push_back(read_result(file));
  if (options.action == bench_action::compare)
    print(report::comparison_table(results));
  else if (options.html_file.empty())
    print(report::summary_table(results.front().json));
  if (!options.html_file.empty())
    write_file(options.html_file, report::html_report(results));
  return EXIT_SUCCESS;
}

bool has_errors(const load::campaign_result& x) {
  return std::any_of(x.runs.begin(), x.runs.end(), [](const auto& run) {
    return run.result.requests.failed + run.result.requests.unfinished() > 0;
  });
}

/// The first signal ends the load, the second one the process.
void catch_interrupt() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = true; };
  action.sa_flags = SA_RESETHAND | SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

int run_bench(const bench_options& options) {
  std::signal(SIGPIPE, SIG_IGN);
  const auto all = campaign_of(options);
  load::live_view view;
  load::campaign_options how;
  how.note = [&](const std::string& text) { say(view, text); };
  how.on_run = [&](const load::campaign_run& x) { tell_about(view, x); };
  how.is_interrupted = [] { return interrupted.load(); };
  if (!options.quiet) {
    how.show_every = view.interval();
    how.show = [&](const std::string& label, const load::snapshot& now) { view.show(label, now); };
  }
  catch_interrupt();
  const auto result = run_campaign(all, how);
  view.clear();
  give(options, to_json(result, LANG_AGENT_VERSION, options.command));
  return options.fail_on_errors && has_errors(result) ? EXIT_FAILURE : EXIT_SUCCESS;
}

} // namespace

int run_bench_command(const bench_options& options) {
  try {
    return options.action == bench_action::measure ? run_bench(options) : show_results(options);
  } catch (const config_error& e) {
    std::fprintf(stderr, "lang-agent: %s\n", e.what());
    return 2;
  }
}

} // namespace lang_agent
