#include "benchmarks/report/figures.hpp"
#include "benchmarks/report/format.hpp"
#include "benchmarks/report/page_json.hpp"

#include <algorithm>

namespace lang_agent::report {

namespace {

std::string quoted(const std::string& argument) {
  constexpr auto plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,@%+";
  if (!argument.empty() && argument.find_first_not_of(plain) == std::string::npos)
    return argument;
  std::string out = "'";
  for (const auto x : argument)
    out += x == '\'' ? "'\\''" : std::string{x};
  return out + "'";
}

std::string command_of(const result& x) {
  std::string out = "lang-agent bench";
  for (const auto& argument : x.command)
    out += " " + quoted(argument);
  return printable(out);
}

void write_result(json_writer& out, const result& x) {
  out.StartObject();
  member(out, "label", printable(x.label));
  member(out, "started", printable(x.started));
  member(out, "version", printable(x.version));
  member(out, "machine", printable(x.machine));
  member(out, "command", command_of(x));
  member(out, "why_knee", x.swept ? printable(x.swept->why) : "");
  out.EndObject();
}

/// Its load; of a sweep only what all steps have in common with the first.
std::string load_text(const subject& x) {
  auto common = x.points.front().first().offered;
  if (x.points.size() > 1)
    common.rate = common.concurrency = std::nullopt;
  std::string out;
  for (const auto& part : describe(common))
    if (x.points.size() == 1 || part != amount_of(common))
      out += (out.empty() ? "" : ", ") + part;
  const auto& first = x.points.front();
  const auto rounds = first.rounds.size();
  out += ", " + (x.points.size() > 1 ? std::to_string(x.points.size()) + " steps of " : "");
  out += (rounds > 1 ? std::to_string(rounds) + " rounds of " : "")
         + format_seconds(first.first().seconds) + " s";
  return out;
}

void write_subject(json_writer& out, const subject& x) {
  out.StartObject();
  member(out, "name", x.name);
  member(out, "url", printable(x.points.front().first().url));
  member(out, "load", load_text(x));
  write_timeline(out, x);
  write_steps(out, x);
  out.EndObject();
}

/// One figure of one subject, with its ratio to the base. Null without the figure.
void write_cell(json_writer& out, const figure& of, const point* base, const point* x) {
  const auto found = x ? spread_of(*x, of) : std::nullopt;
  if (!found) {
    out.Null();
    return;
  }
  out.StartObject();
  member(out, "text", format_figure(found->value));
  member(out, "value", std::optional{found->value});
  if (const auto range = range_text(*found); !range.empty())
    member(out, "range", range);
  const auto reference = base && base != x ? spread_of(*base, of) : std::nullopt;
  if (reference) {
    const auto compared = compare(*reference, *found, of.direction);
    member(out, "ratio", to_text(compared));
    member(out, "verdict", name_of(compared.result));
  }
  out.EndObject();
}

void write_figures(json_writer& out, const view& x) {
  out.Key("figures");
  out.StartArray();
  for (const auto& of : figures_of(x.members)) {
    out.StartObject();
    member(out, "group", of.group);
    member(out, "name", of.name);
    member(out, "better", of.direction == better::lower ? "lower" : "higher");
    out.Key("cells");
    out.StartArray();
    for (const auto* p : x.members)
      write_cell(out, of, x.members.front(), p);
    out.EndArray();
    out.EndObject();
  }
  out.EndArray();
}

void write_counts(json_writer& out, const view& x) {
  const std::pair<const char*, double request_counts::*> counts[] = {
      {"scheduled", &request_counts::scheduled}, {"started", &request_counts::started},
      {"completed", &request_counts::completed}, {"failed", &request_counts::failed},
      {"abandoned", &request_counts::abandoned}, {"unfinished", &request_counts::unfinished}};
  out.Key("requests");
  out.StartArray();
  for (const auto* p : x.members) {
    out.StartObject();
    for (const auto& [name, count] : counts)
      if (p)
        member(out, name,
               std::optional{sum(*p, [count = count](const run& r) { return r.requests.*count; })});
    out.EndObject();
  }
  out.EndArray();
}

void write_errors(json_writer& out, const view& x) {
  out.Key("errors");
  out.StartArray();
  for (const auto* p : x.members) {
    out.StartArray();
    for (const auto& [kind, n] :
         p ? errors_of(*p) : std::vector<std::pair<std::string, double>>{}) {
      out.StartObject();
      member(out, "kind", kind);
      member(out, "count", std::optional{n});
      out.EndObject();
    }
    out.EndArray();
  }
  out.EndArray();
}

void write_tenants(json_writer& out, const view& x) {
  out.Key("tenants");
  out.StartArray();
  for (const auto* p : x.members) {
    out.StartArray();
    for (const auto& one : p ? tenants_of(*p) : std::vector<tenant>{}) {
      out.StartObject();
      member(out, "name", one.name);
      member(out, "completed", std::optional{one.completed});
      member(out, "failed", std::optional{one.failed});
      member(out, "abandoned", std::optional{one.abandoned});
      member(out, "e2e_p50", one.e2e_p50_ms);
      member(out, "e2e_p99", one.e2e_p99_ms);
      out.EndObject();
    }
    out.EndArray();
  }
  out.EndArray();
}

void write_objectives(json_writer& out, const view& x) {
  out.Key("objectives");
  out.StartArray();
  for (const auto* p : x.members)
    write(out, p && p->first().good ? p->first().good->objectives : std::string{});
  out.EndArray();
}

void write_view(json_writer& out, const view& x) {
  out.StartObject();
  member(out, "name", x.name);
  write_counts(out, x);
  write_objectives(out, x);
  write_figures(out, x);
  write_distributions(out, x);
  write_errors(out, x);
  write_tenants(out, x);
  out.EndObject();
}

template <class List, class Write>
void write_all(json_writer& out, const char* name, const List& list, Write write_one) {
  out.Key(name);
  out.StartArray();
  for (const auto& x : list)
    write_one(out, x);
  out.EndArray();
}

} // namespace

std::string page_data(std::span<const result> results) {
  const auto subjects = subjects_of(results);
  const auto views = views_of(subjects);
  rapidjson::StringBuffer buffer;
  json_writer out{buffer};
  out.StartObject();
  write_all(out, "results", results, write_result);
  write_all(out, "subjects", subjects, write_subject);
  out.Key("warnings");
  write_list(out, warnings_of(subjects, views));
  member(out, "doubt", subjects.size() > 1 ? doubt_about(views) : "");
  out.Key("metrics");
  out.StartArray();
  for (std::size_t i = 0; i < metrics; ++i)
    write(out, name_of(static_cast<metric>(i)));
  out.EndArray();
  write_all(out, "views", views, write_view);
  out.Key("main_view");
  out.Uint64(main_view(subjects, views));
  out.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

} // namespace lang_agent::report
