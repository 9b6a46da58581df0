#include "benchmarks/report/figures.hpp"
#include "benchmarks/report/format.hpp"
#include "benchmarks/report/report.hpp"
#include "benchmarks/report/text_table.hpp"

namespace lang_agent::report {

namespace {

using texts = std::vector<std::string>;

std::string cell(const point& x, const figure& of) {
  const auto found = spread_of(x, of);
  return found ? format_figure(found->value) : "-";
}

/// "99.3 (98.9-99.6) requests/s", if there is such a figure.
void add(texts& out, const point& x, const figure& of, const std::string& before,
         const std::string& after) {
  if (const auto found = spread_of(x, of))
    out.push_back(before + to_text(*found) + after);
}

std::string head(const subject& target, const point& x) {
  const auto& first = x.first();
  texts parts = describe(first.offered);
  const auto rounds = x.rounds.size();
  parts.push_back((rounds > 1 ? std::to_string(rounds) + " rounds of " : "")
                  + format_seconds(first.seconds) + " s");
  const auto name = shortened(target.name, page_width);
  const auto url = printable(first.url);
  return name + "\n" + (url == target.name ? "" : list_line("url", {url}))
         + list_line("load", parts);
}

std::string requests_line(const point& x) {
  const std::pair<double request_counts::*, const char*> counts[] = {
      {&request_counts::scheduled, " scheduled"}, {&request_counts::started, " started"},
      {&request_counts::completed, " completed"}, {&request_counts::failed, " failed"},
      {&request_counts::abandoned, " abandoned"}, {&request_counts::unfinished, " unfinished"}};
  texts parts;
  for (const auto& [member, name] : counts)
    parts.push_back(
        format_count(sum(x, [&, member = member](const run& r) { return r.requests.*member; }))
        + name);
  return list_line("requests", parts);
}

std::string errors_line(const point& x) {
  texts parts;
  for (const auto& [kind, n] : errors_of(x))
    parts.push_back(format_count(n) + " " + kind);
  return list_line("errors", parts.empty() ? texts{"none"} : parts);
}

std::string throughput_line(const point& x) {
  texts parts;
  for (const auto& of : figures_of({&x}))
    if (of.group == requests_per_s().group && of.name.ends_with("/s"))
      add(parts, x, of, "", " " + of.name);
  return parts.empty() ? "" : list_line("throughput", parts);
}

std::string goodput_line(const point& x) {
  texts parts;
  for (const auto& of : figures_of({&x}))
    if (of.group == goodput_per_s().group)
      add(parts, x, of, "", of.name.starts_with("share") ? " %" : " requests/s");
  if (parts.empty())
    return "";
  if (const auto& good = x.first().good; good && !good->objectives.empty())
    parts.back() += " within " + good->objectives;
  return list_line("goodput", parts);
}

std::string server_line(const point& x) {
  texts parts;
  add(parts, x, cpu_per_request(), "CPU ", " us/request");
  add(parts, x, cpu_per_token(), "CPU ", " us/token");
  add(parts, x, rss_start(), "RSS ", " MiB at start");
  add(parts, x, rss_peak(), "", " at its peak");
  add(parts, x, rss_end(), "", " at the end");
  return parts.empty() ? "" : list_line("server", parts);
}

std::string client_line(const point& x) {
  const figure cores{"", "", better::lower, [](const run& r) -> std::optional<double> {
                       if (!r.client_cpu_seconds || r.seconds <= 0)
                         return {};
                       return 100 * *r.client_cpu_seconds / r.seconds;
                     }};
  const auto used = spread_of(x, cores);
  return used ? list_line("generator", {"CPU " + to_text(*used) + " % of a core"}) : "";
}

void add_latency_rows(std::vector<table_row>& rows, const point& x, metric of) {
  table_row middle{std::string{name_of(of)}};
  table_row low{"  lowest round"};
  table_row high{"  highest round"};
  bool has_any = false;
  for (std::size_t i = 0; i < quantiles; ++i) {
    const auto found = spread_of(x, latency_figure(of, static_cast<quantile>(i)));
    has_any = has_any || found;
    middle.push_back(found ? format_figure(found->value) : "-");
    low.push_back(found ? format_figure(found->low) : "-");
    high.push_back(found ? format_figure(found->high) : "-");
  }
  if (!has_any)
    return;
  rows.push_back(middle);
  if (x.rounds.size() > 1) {
    rows.push_back(low);
    rows.push_back(high);
  }
}

std::string latency_table(const point& x) {
  std::vector<table_row> rows = {{"latency, ms"}};
  rows.front()[0] += x.rounds.size() > 1 ? " (medians of rounds)" : "";
  for (std::size_t i = 0; i < quantiles; ++i)
    rows.front().emplace_back(name_of(static_cast<quantile>(i)));
  for (std::size_t i = 0; i < metrics; ++i)
    add_latency_rows(rows, x, static_cast<metric>(i));
  return rows.size() > 1 ? "\n" + align(rows) : "";
}

std::string tenants_table(const point& x) {
  const auto tenants = tenants_of(x);
  if (tenants.size() < 2)
    return "";
  const auto ms = [](const std::optional<double>& v) { return v ? format_figure(*v) : "-"; };
  std::vector<table_row> rows = {
      {"tenant", "completed", "failed", "abandoned", "e2e p50, ms", "e2e p99, ms"}};
  for (const auto& one : tenants)
    rows.push_back({shortened(one.name, 40), format_count(one.completed), format_count(one.failed),
                    format_count(one.abandoned), ms(one.e2e_p50_ms), ms(one.e2e_p99_ms)});
  return "\n" + align(rows);
}

std::string sweep_mark(const subject& target, const point& x) {
  const auto& swept = target.from->swept;
  const auto step = x.first().step;
  if (!swept || !step)
    return "";
  const auto is_knee = swept->knee_step == step;
  const auto is_best = swept->best_step == step;
  return is_knee && is_best ? "knee, best" : is_knee ? "knee" : is_best ? "best" : "";
}

std::string step_amount(const load& x) {
  const auto amount = x.rate ? x.rate : x.concurrency;
  return amount ? format_number(*amount) : "-";
}

std::string sweep_table(const subject& target) {
  std::vector<table_row> rows = {{target.points.front().first().offered.rate ? "rate" : "at once",
                                  "req/s", "tokens/s", "goodput", "TTFT p50", "p99", "e2e p50",
                                  "p99", "p99 sched.", "failed %", ""}};
  for (const auto& x : target.points)
    rows.push_back({step_amount(x.first().offered), cell(x, requests_per_s()),
                    cell(x, output_tokens_per_s()), cell(x, goodput_per_s()),
                    cell(x, latency_figure(ttft, p50)), cell(x, latency_figure(ttft, p99)),
                    cell(x, latency_figure(e2e, p50)), cell(x, latency_figure(e2e, p99)),
                    cell(x, latency_figure(e2e_scheduled, p99)), cell(x, failed_share()),
                    sweep_mark(target, x)});
  auto out = "sweep (latency in ms)\n" + align(rows);
  if (target.from->swept && !target.from->swept->why.empty())
    out += paragraph("knee", printable(target.from->swept->why));
  return out + "\n";
}

std::string summary_of(const subject& target) {
  const auto& x = target.main_point();
  std::string out;
  if (target.points.size() > 1)
    out += sweep_table(target);
  return out + head(target, x) + requests_line(x) + errors_line(x) + throughput_line(x)
         + goodput_line(x) + server_line(x) + client_line(x) + latency_table(x) + tenants_table(x);
}

} // namespace

std::string summary_table(std::string_view result_json) {
  const auto parsed = parse_result(result_json, "the document");
  std::string out;
  for (const auto& x : subjects_of({&parsed, 1}))
    out += (out.empty() ? "" : "\n") + summary_of(x);
  return out;
}

} // namespace lang_agent::report
