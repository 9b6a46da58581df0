#include "config/upstream_tables.hpp"

#include "config/proxy.hpp"
#include "config/secrets.hpp"
#include "config/units.hpp"

#include <limits>

namespace lang_agent {

namespace {

constexpr std::int64_t many = 1'000'000'000;

void read_builtin(table_reader& in, builtin_settings& out) {
  in.number("seed", out.seed, 0, std::numeric_limits<std::int64_t>::max());
  in.duration("first_token_delay", out.first_token_delay);
  in.duration("token_interval", out.token_interval);
  in.number("words", out.words, 0, 1'000'000);
}

/// Reads a table of headers, whose names have no case.
std::map<std::string, std::string> read_headers(table_reader& in, std::string_view key) {
  std::map<std::string, std::string> given;
  in.text_table(key, given);
  std::map<std::string, std::string> out;
  for (auto& [name, value] : given) {
    auto plain = name;
    for (auto& c : plain)
      c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    if (!out.emplace(plain, std::move(value)).second)
      in.fail(key, "has the header \"" + plain + "\" twice; capitals make no difference");
  }
  return out;
}

void read_keys(table_reader& in, upstream_settings& out, bool with_secrets) {
  std::string variable;
  in.text("api_key_env", variable);
  if (!variable.empty() && with_secrets)
    out.api_keys = environment_secrets(variable, "upstreams.api_key_env");
  std::string file;
  in.text("api_key_file", file);
  if (!file.empty() && with_secrets)
    for (auto& key : file_secrets(file, "upstreams.api_key_file"))
      out.api_keys.push_back(std::move(key));
  out.headers = read_headers(in, "headers");
  for (const auto& [name, from] : read_headers(in, "headers_env"))
    if (with_secrets)
      out.headers[name] = environment_secret(from, "upstreams.headers_env");
}

void read_timeouts(table_reader& in, upstream_settings& out) {
  in.duration("connect_timeout", out.connect_timeout);
  in.duration("tls_timeout", out.tls_timeout);
  in.duration("first_token_timeout", out.first_token_timeout);
  in.duration("answer_timeout", out.answer_timeout);
  in.duration("idle_timeout", out.idle_timeout);
  in.duration("total_timeout", out.total_timeout);
  in.duration("idle_connection_timeout", out.idle_connection_timeout);
  in.duration("max_connection_age", out.max_connection_age);
  in.duration("probe_interval", out.probe_interval);
}

void read_proxy(table_reader& in, upstream_settings& out) {
  std::string text;
  in.text("proxy", text);
  if (text.empty())
    return;
  out.proxy_from_environment = false;
  if (text == "none")
    return;
  out.proxy = parse_proxy(text);
  if (!out.proxy) // without its value, which may hold a password
    in.fail("proxy", "must look like \"http://user:password@host:port\", or be \"none\"");
}

void read_policy(table_reader& in, parameter_policy& out) {
  in.text_table("rename", out.rename);
  in.texts("drop", out.drop);
  in.texts("refuse", out.refuse);
  in.word("instructions", out.instructions,
          {{"as_sent", instruction_role::as_sent},
           {"system", instruction_role::system},
           {"developer", instruction_role::developer}});
}

} // namespace

void read_upstream(table_reader& in, upstream_settings& out, bool with_secrets) {
  in.text("name", out.name);
  in.word("kind", out.kind,
          {{"openai", upstream_kind::openai}, {"builtin", upstream_kind::builtin}});
  in.text("base_url", out.base_url);
  read_keys(in, out, with_secrets);
  in.text("model", out.model);
  in.text_table("model_map", out.model_map);
  in.texts("models", out.models);
  in.number("weight", out.weight, 1, 1'000'000);
  in.number("priority", out.priority, -1000, 1000);
  in.flag("replay_reasoning", out.replay_reasoning);
  in.table("parameters", [&](table_reader& sub) { read_policy(sub, out.parameters); });
  in.number("max_concurrency", out.max_concurrency, 1, many);
  in.bytes("max_answer_bytes", out.max_answer_bytes);
  read_timeouts(in, out);
  read_proxy(in, out);
  in.text("ca_file", out.ca_file);
  in.text("client_certificate", out.client_certificate);
  in.text("client_key", out.client_key);
  in.table("builtin", [&](table_reader& sub) { read_builtin(sub, out.builtin); });
}

void read_route(table_reader& in, route_settings& out) {
  in.texts("models", out.models);
  in.texts("tenants", out.tenants);
  in.text_lists("upstreams", out.groups);
}

void read_routing(table_reader& in, routing_settings& out) {
  in.word("unknown_model", out.unknown_model,
          {{"any", unknown_model_policy::use_any}, {"refuse", unknown_model_policy::refuse}});
  in.number("max_waiting", out.max_waiting, 0, many);
  in.duration("wait_timeout", out.wait_timeout);
}

void read_retry(table_reader& in, retry_settings& out) {
  in.number("max_attempts", out.max_attempts, 1, 100);
  in.number("attempts_per_group", out.attempts_per_group, 1, 100);
  in.duration("base_delay", out.base_delay);
  in.duration("max_delay", out.max_delay);
  in.share("budget", out.budget);
}

void read_breaker(table_reader& in, breaker_settings& out) {
  in.number("consecutive_failures", out.consecutive_failures, 1, many);
  in.share("failure_rate", out.failure_rate);
  in.number("min_attempts", out.min_attempts, 1, many);
  in.duration("window", out.window);
  in.duration("open_time", out.open_time);
  in.duration("max_open_time", out.max_open_time);
}

void choose_proxy(upstream_settings& x) {
  const auto url = parse_base_url(x.base_url);
  if (x.kind == upstream_kind::openai && x.proxy_from_environment && url)
    x.proxy = environment_proxy(*url, x.name);
}

std::vector<std::string> served_models(const upstream_settings& x) {
  if (!x.models.empty())
    return x.models;
  std::vector<std::string> out;
  for (const auto& [name, theirs] : x.model_map)
    out.push_back(name);
  if (out.empty())
    out.push_back(!x.model.empty()                   ? x.model
                  : x.kind == upstream_kind::builtin ? "builtin"
                                                     : x.name);
  return out;
}

} // namespace lang_agent
