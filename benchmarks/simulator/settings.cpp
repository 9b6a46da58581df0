#include "benchmarks/simulator/settings.hpp"

#include "config/loader.hpp"
#include "config/table_reader.hpp"
#include "config/units.hpp"

#include <fstream>
#include <sstream>

namespace lang_agent::simulator {

namespace {

constexpr auto unlimited = std::numeric_limits<std::int64_t>::max();
constexpr auto shapes = "\"uniform(X, Y)\", \"exponential(MEAN)\", \"normal(MEAN, DEVIATION)\" or "
                        "\"lognormal(MEDIAN, SIGMA)\"";

toml::table parse_toml(std::string_view text, const std::string& name) {
  try {
    return toml::parse(text, name);
  } catch (const toml::parse_error& e) {
    throw config_error{name + ":" + std::to_string(e.source().begin.line) + ": "
                       + std::string{e.description()}};
  }
}

void read_real(table_reader& in, std::string_view key, double& out, double least, double most) {
  const auto* node = in.any(key);
  if (!node)
    return;
  const auto value = node->value<double>();
  if (!node->is_number() || !value)
    in.fail(key, "must be a number");
  if (!(*value >= least && *value <= most)) {
    std::ostringstream problem;
    problem << "must be between " << least << " and " << most;
    in.fail(key, problem.str());
  }
  out = *value;
}

void read_distribution(table_reader& in, std::string_view key, distribution& out, unit of) {
  if (!in.any(key))
    return;
  std::string text;
  in.text(key, text);
  const auto value = distribution::parse(text, of);
  if (!value)
    in.fail(key,
            std::string{"must be "} + (of == unit::words ? "\"50\"" : "\"20ms\"") + ", " + shapes);
  out = *value;
}

void read_model(table_reader& in, model_settings& out) {
  if (in.any("names"))
    out.names.clear();
  in.texts("names", out.names);
  if (out.names.empty())
    in.fail("names", "must name at least one model");
  read_distribution(in, "first_token_delay", out.first_token_delay, unit::milliseconds);
  read_distribution(in, "token_interval", out.token_interval, unit::milliseconds);
  read_distribution(in, "length", out.length, unit::words);
  in.number("slots", out.slots, 0, unlimited);
}

void read_kind(table_reader& in, fault_kind& out) {
  using enum fault_kind;
  if (!in.any("kind"))
    in.fail("kind", "is missing");
  std::initializer_list<std::pair<std::string_view, fault_kind>> words = {
      {"rate_limit", rate_limit},
      {"server_error", server_error},
      {"expired_key", expired_key},
      {"forbidden", forbidden},
      {"not_found_model", not_found_model},
      {"context_too_long", context_too_long},
      {"bad_request", bad_request},
      {"slow", slow},
      {"slow_head", slow_head},
      {"stall", stall},
      {"cut", cut},
      {"malformed", malformed},
      {"wrong_type", wrong_type},
      {"error_in_stream", error_in_stream},
      {"no_done", no_done},
      {"empty", empty},
      {"tls_failure", tls_failure}};
  in.word("kind", out, words);
}

void read_retry_after(table_reader& in, fault_rule& out) {
  if (!in.any("retry_after"))
    return;
  std::string text;
  in.text("retry_after", text);
  out.retry_after = parse_duration(text);
  if (!out.retry_after && text != "none")
    in.fail("retry_after", "must be a duration like \"250ms\" or \"2s\", or \"none\"");
}

void read_after(table_reader& in, fault_rule& out) {
  if (!in.any("after"))
    return;
  out.after = 0;
  in.number("after", *out.after, 0, unlimited);
}

/// Keys that mean something for one kind only; elsewhere they are unknown, so that nobody waits for
/// an effect that cannot come.
void read_details(table_reader& in, fault_rule& out) {
  using enum fault_kind;
  switch (out.kind) {
  case rate_limit:
    out.status = 429;
    out.retry_after = std::chrono::seconds{1};
    read_retry_after(in, out);
    break;
  case server_error:
    in.number("status", out.status, 400, 599);
    read_retry_after(in, out);
    break;
  case slow:
    read_real(in, "factor", out.factor, 1, 1e6);
    return; // its delay is the model's
  case slow_head:
    out.delay = std::chrono::milliseconds{100};
    break;
  case cut:
    in.flag("reset", out.reset);
    read_after(in, out);
    break;
  case stall:
  case malformed:
  case error_in_stream:
  case no_done:
    read_after(in, out);
    break;
  case tls_failure:
    return;
  default:
    break;
  }
  in.duration("delay", out.delay);
}

void read_filter(table_reader& in, std::string_view key, std::optional<std::string>& out) {
  if (in.any(key))
    in.text(key, out.emplace());
}

void read_fault(table_reader& in, fault_rule& out) {
  read_kind(in, out.kind);
  out.name = name_of(out.kind);
  in.text("name", out.name);
  read_real(in, "share", out.share, 0, 1);
  in.number("limit", out.limit, 0, unlimited);
  if (out.kind != fault_kind::tls_failure) { // which happens before there is a key or a model
    read_filter(in, "key", out.key);
    read_filter(in, "model", out.model);
  }
  read_details(in, out);
}

void read_faults(table_reader& in, std::vector<fault_rule>& out) {
  in.tables("faults", [&](table_reader& sub) { read_fault(sub, out.emplace_back()); });
}

} // namespace

settings parse_settings(std::string_view text, const std::string& name) {
  const auto table = parse_toml(text, name);
  table_reader in{table, name, ""};
  settings out;
  in.text("listen", out.listen);
  in.number("seed", out.seed, 0, unlimited);
  in.table("model", [&](table_reader& sub) { read_model(sub, out.model); });
  read_faults(in, out.faults);
  in.finish();
  if (!parse_listen(out.listen))
    in.fail("listen", "must be an address with a port like \"127.0.0.1:8490\"");
  return out;
}

settings load_settings(const std::string& file) {
  std::ifstream in{file, std::ios::binary};
  if (!in)
    throw config_error{"cannot read the config file " + file};
  std::ostringstream text;
  text << in.rdbuf();
  return parse_settings(text.str(), file);
}

std::vector<fault_rule> parse_faults(std::string_view text, const std::string& name) {
  const auto table = parse_toml(text, name);
  table_reader in{table, name, ""};
  std::vector<fault_rule> out;
  read_faults(in, out);
  in.finish();
  return out;
}

model_settings parse_model(std::string_view text, const std::string& name) {
  const auto table = parse_toml(text, name);
  table_reader in{table, name, ""};
  model_settings out;
  read_model(in, out);
  in.finish();
  return out;
}

} // namespace lang_agent::simulator
