#include "benchmarks/report/result.hpp"

#include "benchmarks/report/format.hpp"
#include "benchmarks/report/node.hpp"

#include <algorithm>
#include <utility>

namespace lang_agent::report {

namespace {

constexpr std::string_view schema_family = "lang-agent-bench/";
constexpr std::string_view schema = "lang-agent-bench/1";

constexpr std::array<std::pair<const char*, std::string_view>, metrics> metric_names = {{
    {"ttft", "TTFT"},
    {"ttft_scheduled", "TTFT from schedule"},
    {"itl", "ITL"},
    {"tpot", "TPOT"},
    {"e2e", "end to end"},
    {"e2e_scheduled", "end to end from schedule"},
    {"queue_wait", "queue wait"},
}};

constexpr std::array<std::pair<const char*, std::string_view>, quantiles> quantile_names = {{
    {"min", "min"},
    {"p50", "p50"},
    {"p90", "p90"},
    {"p95", "p95"},
    {"p99", "p99"},
    {"p999", "p99.9"},
    {"max", "max"},
}};

latency read_latency(const node& in) {
  latency out;
  for (std::size_t i = 0; i < quantiles; ++i)
    out.at[i] = in[quantile_names[i].first].number();
  in["cdf"].for_each([&](const node& pair) {
    const auto share = pair.at(0).number();
    const auto ms = pair.at(1).number();
    if (!share || !ms || *share < 0 || *share > 1)
      pair.fail("must be [share from 0 to 1, milliseconds]");
    if (!out.cdf.empty() && *share < out.cdf.back().first)
      pair.fail("must not have a smaller share than the one before it");
    out.cdf.emplace_back(*share, *ms);
  });
  return out;
}

load read_load(const node& in) {
  return {.loop = in["loop"].text(),
          .arrivals = in["arrivals"].text(),
          .rate = in["rate"].number(),
          .concurrency = in["concurrency"].number(),
          .stream = in["stream"].flag(),
          .turns = in["turns"].number().value_or(1),
          .history = in["history"].text()};
}

goodput read_goodput(const node& in) {
  goodput out{.requests_per_s = in["requests_per_s"].number(), .share = in["share"].number()};
  const auto objectives = in["slo"];
  const std::pair<const char*, const char*> names[] = {
      {"ttft_ms", "TTFT "}, {"tpot_ms", "TPOT "}, {"e2e_ms", "end to end "}};
  for (const auto& [key, name] : names)
    if (const auto ms = objectives[key].number())
      out.objectives += (out.objectives.empty() ? "" : ", ") + (name + format_number(*ms)) + " ms";
  return out;
}

series read_series(const node& in) {
  series out;
  in.for_each([&](const node& x) { out.push_back(x.number()); });
  return out;
}

timeline read_timeline(const node& in) {
  timeline out{.interval_s = in["interval_s"].number().value_or(1),
               .completed = read_series(in["completed"]),
               .failed = read_series(in["failed"]),
               .output_tokens = read_series(in["output_tokens"]),
               .in_flight = read_series(in["in_flight"]),
               .ttft_p50_ms = read_series(in["ttft_p50_ms"]),
               .e2e_p50_ms = read_series(in["e2e_p50_ms"]),
               .e2e_p99_ms = read_series(in["e2e_p99_ms"])};
  if (out.interval_s <= 0)
    in["interval_s"].fail("must be more than 0");
  return out;
}

tenant read_tenant(const node& in) {
  return {.name = in["name"].text(),
          .completed = in["completed"].count(),
          .failed = in["failed"].count(),
          .abandoned = in["abandoned"].count(),
          .e2e_p50_ms = in["e2e_p50_ms"].number(),
          .e2e_p99_ms = in["e2e_p99_ms"].number()};
}

server_cost read_server(const node& in) {
  return {.cpu_us_per_request = in["cpu_us_per_request"].number(),
          .cpu_us_per_token = in["cpu_us_per_token"].number(),
          .rss_start_bytes = in["rss_start_bytes"].number(),
          .rss_peak_bytes = in["rss_peak_bytes"].number(),
          .rss_end_bytes = in["rss_end_bytes"].number()};
}

request_counts read_requests(const node& in) {
  return {.scheduled = in["scheduled"].count(),
          .started = in["started"].count(),
          .completed = in["completed"].count(),
          .failed = in["failed"].count(),
          .abandoned = in["abandoned"].count(),
          .unfinished = in["unfinished"].count()};
}

run read_run(const node& in) {
  run out{.target = in["target"].text(),
          .url = in["url"].text(),
          .step = in["step"].integer(),
          .offered = read_load(in),
          .seconds = in["seconds"].number().value_or(0),
          .requests = read_requests(in["requests"])};
  in["errors"].for_each_member([&](const std::string& kind, const node& x) {
    if (const auto n = x.count(); n > 0)
      out.errors.emplace_back(kind, n);
  });
  const auto speed = in["throughput"];
  out.speed = {.requests_per_s = speed["requests_per_s"].number(),
               .output_tokens_per_s = speed["output_tokens_per_s"].number(),
               .input_tokens_per_s = speed["input_tokens_per_s"].number()};
  if (const auto good = in["goodput"])
    out.good = read_goodput(good);
  for (std::size_t i = 0; i < metrics; ++i)
    if (const auto x = in["latency_ms"][metric_names[i].first])
      out.latencies[i] = read_latency(x);
  out.time = read_timeline(in["timeline"]);
  in["tenants"].for_each([&](const node& x) { out.tenants.push_back(read_tenant(x)); });
  if (const auto server = in["server"])
    out.server = read_server(server);
  out.client_cpu_seconds = in["client"]["cpu_seconds"].number();
  return out;
}

std::string read_machine(const node& in) {
  std::string out;
  if (const auto cpus = in["cpus"].number())
    out = format_number(*cpus) + " x ";
  out += in["cpu_model"].text();
  const auto kernel = in["kernel"].text();
  return out + (out.empty() || kernel.empty() ? "" : ", ") + kernel;
}

void check_schema(const node& in) {
  const auto found = in["schema"].text();
  if (found == schema)
    return;
  if (found.starts_with(schema_family))
    throw std::runtime_error{in.label() + " is of schema " + printable(found)
                             + ", but this lang-agent reads " + std::string{schema}
                             + ": run the benchmark again with this one, or show the result "
                               "with the lang-agent that wrote it"};
  in["schema"].fail("must be \"" + std::string{schema} + "\"");
}

result read_result(const node& in) {
  check_schema(in);
  result out{.label = in.label(),
             .version = in["version"].text(),
             .started = in["started"].text(),
             .machine = read_machine(in["machine"])};
  in["command"].for_each([&](const node& x) { out.command.push_back(x.text()); });
  in["runs"].for_each([&](const node& x) { out.runs.push_back(read_run(x)); });
  if (out.runs.empty())
    in["runs"].fail("must have at least one run");
  if (const auto swept = in["sweep"])
    out.swept = {.knee_step = swept["knee_step"].integer(),
                 .best_step = swept["best_step"].integer(),
                 .why = swept["why"].text()};
  return out;
}

} // namespace

std::string_view name_of(metric x) {
  return metric_names[x].second;
}

std::string_view name_of(quantile x) {
  return quantile_names[x].second;
}

result parse_result(std::string_view json, std::string label) {
  const node_document document{json, std::move(label)};
  return read_result(document.root());
}

std::vector<result> parse_results(std::span<const labelled_result> results) {
  if (results.empty())
    throw std::runtime_error{"there is no result to show: give at least one"};
  std::vector<result> out;
  for (const auto& x : results)
    out.push_back(parse_result(x.json, x.label));
  return out;
}

} // namespace lang_agent::report
