#include "server/bench_campaign.hpp"

#include "benchmarks/load/load_list.hpp"
#include "benchmarks/load/request_writer.hpp"
#include "config/loader.hpp"
#include "config/units.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <set>

namespace lang_agent {

namespace {

using load::load_plan;

/// As many descriptors as the system allows; how many connections that makes.
std::size_t raise_descriptor_limit() {
  constexpr rlim_t for_other_files = 64;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return 512;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<std::size_t>(std::max(limit.rlim_cur, for_other_files + 1) - for_other_files);
}

// -- reading the options --------------------------------------------------------------------------

[[noreturn]] void refuse(const std::string& problem) {
  throw config_error{problem};
}

std::chrono::milliseconds duration_of(const char* option, const std::string& text) {
  const auto out = parse_duration(text);
  if (!out)
    refuse(std::string{option} + " must be a time like \"250ms\", \"10s\" or \"5m\"");
  return *out;
}

simulator::distribution distribution_of(const char* option, const std::string& text,
                                        simulator::unit of) {
  const auto out = simulator::distribution::parse(text, of);
  if (!out)
    refuse(std::string{option} + " must be like " + (of == simulator::unit::words ? "50" : "500ms")
           + ", or one of the distributions that --help lists");
  return *out;
}

std::string from_environment(const std::string& name) {
  const auto* value = std::getenv(name.c_str());
  if (!value || !*value)
    refuse("the environment variable " + name + " is not set");
  return value;
}

std::optional<double> limit_of(const char* option, const std::string& text) {
  if (text.empty())
    return std::nullopt;
  return static_cast<double>(duration_of(option, text).count());
}

load::target target_of(const std::string& text) {
  load::target out;
  out.url = text;
  const auto equals = text.find('=');
  const bool has_name = equals != std::string::npos && equals < text.find(':');
  if (has_name)
    out.url = text.substr(equals + 1);
  const auto where = parse_base_url(out.url);
  if (!where || (has_name && equals == 0))
    refuse("--target must look like http://localhost:8000/v1 or NAME=http://localhost:8000/v1, not "
           + text);
  out.where = *where;
  out.name = has_name ? text.substr(0, equals) : where->authority;
  return out;
}

std::vector<load::target> targets_of(const bench_options& options) {
  std::vector<load::target> out;
  std::set<std::string> names;
  for (const auto& text : options.targets) {
    out.push_back(target_of(text));
    if (!names.insert(out.back().name).second)
      refuse("two targets have the name " + out.back().name + ": give them names, NAME=URL");
  }
  if (out.empty())
    refuse("--target is missing: the base URL of a server, such as http://localhost:8000/v1");
  return out;
}

/// "gold:3=sk-1", "free=@FREE_KEY"
load::tenant tenant_of(const std::string& text) {
  const auto equals = text.find('=');
  const auto colon = text.find(':');
  const auto has_weight = colon < equals;
  load::tenant out;
  out.name = text.substr(0, std::min(colon, equals));
  char* end = nullptr;
  if (has_weight) {
    const auto weight = text.substr(colon + 1, equals - colon - 1);
    out.weight = std::strtod(weight.c_str(), &end);
    if (weight.empty() || *end != '\0' || !(out.weight > 0 && out.weight <= 1e6))
      out.weight = 0;
  }
  if (equals == std::string::npos || out.name.empty() || out.weight == 0)
    refuse("--tenant must look like NAME=KEY, NAME:WEIGHT=KEY or NAME=@VARIABLE");
  out.key = text.substr(equals + 1);
  if (out.key.starts_with('@'))
    out.key = from_environment(out.key.substr(1));
  return out;
}

std::vector<load::tenant> tenants_of(const bench_options& options) {
  if (!options.key.empty() && !options.key_env.empty())
    refuse("--key and --key-env exclude each other");
  std::vector<load::tenant> out;
  for (const auto& text : options.tenants)
    out.push_back(tenant_of(text));
  const auto key = options.key_env.empty() ? options.key : from_environment(options.key_env);
  if (!out.empty() && !key.empty())
    refuse("--tenant has keys of its own: drop --key and --key-env");
  if (out.empty())
    out.push_back({"default", key});
  for (const auto& who : out)
    if (who.key.find_first_of("\r\n") != std::string::npos)
      refuse("a key must be one line");
  return out;
}

std::pair<std::string, std::string> header_of(const std::string& text) {
  const auto colon = text.find(':');
  const auto begin = colon == std::string::npos ? colon : text.find_first_not_of(' ', colon + 1);
  if (colon == 0 || colon == std::string::npos || text.find_first_of("\r\n") != std::string::npos)
    refuse("--header must look like \"Name: value\"");
  return {text.substr(0, colon), begin == std::string::npos ? "" : text.substr(begin)};
}

std::shared_ptr<const std::vector<load::trace_entry>>
trace_of(const bench_options& options, const std::vector<load::tenant>& tenants) {
  if (options.trace_file.empty())
    return nullptr;
  std::ifstream in{options.trace_file};
  if (!in)
    refuse("cannot read the trace " + options.trace_file);
  std::vector<load::trace_entry> out;
  try {
    out = load::read_trace(in, options.trace_file);
  } catch (const std::runtime_error& e) {
    refuse(e.what());
  }
  for (const auto& x : out)
    if (!x.tenant.empty() && std::none_of(tenants.begin(), tenants.end(), [&](const auto& who) {
          return who.name == x.tenant;
        }))
      refuse("the trace names the tenant " + x.tenant + ", which no --tenant is");
  return std::make_shared<const std::vector<load::trace_entry>>(std::move(out));
}

void read_load(load::campaign& out, const bench_options& options) {
  if (!options.rate.empty() + !options.concurrency.empty() + !options.trace_file.empty() > 1)
    refuse("--rate, --concurrency and --trace exclude each other");
  out.plan.trace = trace_of(options, out.plan.tenants);
  if (out.plan.trace)
    return;
  out.open_loop = !options.rate.empty();
  const auto& text = out.open_loop ? options.rate : options.concurrency;
  const auto loads = load::parse_loads(text.empty() ? "8" : text);
  if (!loads)
    refuse(std::string{out.open_loop ? "--rate" : "--concurrency"}
           + " must be like 10, rising like 10,20,50, or like 10..80");
  out.loads = *loads;
  if (!out.open_loop)
    for (auto& x : out.loads)
      x = std::max(1.0, std::floor(x));
  if (out.is_sweep() && (out.targets.size() > 1 || out.rounds > 1))
    refuse("a sweep has one target and one round: sweep each target by itself with --json, then "
           "compare the results");
}

void read_times(load_plan& out, const bench_options& options) {
  if (!options.duration.empty())
    out.duration = duration_of("--duration", options.duration);
  else if (!options.requests && !out.trace)
    out.duration = std::chrono::seconds{10};
  out.requests = options.requests;
  out.warmup = !options.warmup.empty()         ? duration_of("--warmup", options.warmup)
               : options.requests || out.trace ? std::chrono::milliseconds{0}
                                               : std::chrono::seconds{1};
  out.ramp = duration_of("--ramp", options.ramp);
  out.drain = duration_of("--drain", options.drain);
  out.timeout = duration_of("--timeout", options.timeout);
  out.connect_timeout = duration_of("--connect-timeout", options.connect_timeout);
  if (out.duration == std::chrono::milliseconds{0})
    refuse("--duration must be longer than nothing");
  if (out.trace && out.ramp + out.warmup > out.warmup)
    refuse("a trace has times of its own: drop --ramp");
}

void read_requests(load_plan& out, const bench_options& options) {
  using simulator::unit;
  out.stream = !options.no_stream;
  out.ask_usage = !options.no_usage;
  out.turns = options.turns;
  out.history =
      options.history == "server" ? load::history_kind::server : load::history_kind::client;
  out.thread_field = options.thread_field;
  out.think_time = distribution_of("--think", options.think_time, unit::milliseconds);
  out.prompt_words = distribution_of("--prompt-words", options.prompt_words, unit::words);
  out.max_tokens = distribution_of("--max-tokens", options.max_tokens, unit::words);
  const auto extra = load::members_of(options.extra_body.empty() ? "{}" : options.extra_body);
  if (!extra)
    refuse("--extra-body must be a JSON object, such as '{\"temperature\": 0}'");
  out.extra_body = *extra;
  for (const auto& text : options.headers)
    out.headers.push_back(header_of(text));
  out.abandon_share = options.abandon_share;
  out.abandon_after = distribution_of("--abandon-after", options.abandon_after, unit::milliseconds);
  out.slow_share = options.slow_share;
  out.slow_rate = options.slow_rate;
}

} // namespace

load::campaign campaign_of(const bench_options& options) {
  load::campaign out;
  out.targets = targets_of(options);
  out.rounds = options.rounds;
  out.check_first = !options.no_check;
  auto& plan = out.plan;
  plan.tenants = tenants_of(options);
  plan.model = options.model;
  plan.seed = options.seed;
  plan.arrival =
      options.arrivals == "constant" ? load::arrival_kind::constant : load::arrival_kind::poisson;
  read_load(out, options);
  read_times(plan, options);
  read_requests(plan, options);
  plan.expect_echo = options.expect_echo;
  plan.slo = {limit_of("--slo-ttft", options.slo_ttft), limit_of("--slo-tpot", options.slo_tpot),
              limit_of("--slo-e2e", options.slo_e2e)};
  plan.ca_file = options.ca_file;
  plan.insecure = options.insecure;
  plan.server_pids = options.server_pids;
  if (!plan.server_pids.empty() && out.targets.size() > 1)
    refuse("--server-pid is for one target");
  const auto possible = raise_descriptor_limit();
  plan.max_connections =
      options.max_connections > 0 ? std::min(options.max_connections, possible) : possible;
  return out;
}

} // namespace lang_agent
