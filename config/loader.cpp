#include "config/loader.hpp"

#include "config/secrets.hpp"
#include "config/table_reader.hpp"
#include "config/tenant_tables.hpp"
#include "config/units.hpp"
#include "config/upstream_tables.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace lang_agent {

namespace {

constexpr std::int64_t many = 1'000'000'000;

template <class Listener>
void apply_listen(Listener& out, const std::string& text, const std::string& where) {
  const auto address = parse_listen(text);
  if (!address)
    throw config_error{where + ": \"" + text
                       + "\" is no address to listen on; write e.g. \"127.0.0.1:8488\""};
  out.host = address->host;
  out.port = address->port;
}

void read_server(table_reader& in, server_settings& out, const std::string& file) {
  std::string listen = out.host + ":" + std::to_string(out.port);
  in.text("listen", listen);
  apply_listen(out, listen, file + ": server.listen");
  in.number("threads", out.threads, 0, 1024);
  in.number("max_connections", out.max_connections, 1, 1'000'000);
  in.bytes("max_header_bytes", out.max_header_bytes);
  in.bytes("max_body_bytes", out.max_body_bytes);
  in.number("max_json_depth", out.max_json_depth, 8, 1000);
  in.number("max_messages", out.max_messages, 1, many);
  in.bytes("stream_buffer_bytes", out.stream_buffer_bytes);
  in.duration("header_timeout", out.header_timeout);
  in.duration("body_timeout", out.body_timeout);
  in.duration("write_timeout", out.write_timeout);
  in.duration("keepalive_timeout", out.keepalive_timeout);
  in.duration("sse_keepalive", out.sse_keepalive);
  in.duration("json_keepalive", out.json_keepalive);
  in.duration("drain_timeout", out.drain_timeout);
  in.flag("metrics", out.metrics);
}

void read_threads(table_reader& in, thread_settings& out) {
  std::optional<std::string> thread;
  read_default_thread(in, thread);
  if (thread)
    out.default_thread = std::move(*thread);
  in.word("on_busy", out.on_busy,
          {{"enqueue", busy_policy::enqueue}, {"reject", busy_policy::reject}});
  in.word("on_disconnect", out.on_disconnect,
          {{"cancel", disconnect_policy::cancel}, {"finish", disconnect_policy::finish}});
  in.number("max_waiting", out.max_waiting, 0, many);
  in.duration("wait_timeout", out.wait_timeout);
  in.number("max_context_messages", out.max_context_messages, 0, many);
  in.number("max_context_tokens", out.max_context_tokens, 0, many);
  in.flag("retry_with_less_context", out.retry_with_less_context);
  in.duration("replay_window", out.replay_window);
  in.duration("idle_after", out.idle_after);
  in.bytes("max_active_bytes", out.max_active_bytes);
}

void read_store(table_reader& in, store_settings& out) {
  in.word("engine", out.engine,
          {{"sqlite", store_engine::sqlite}, {"memory", store_engine::memory}});
  in.text("data_dir", out.data_dir);
  in.word("durability", out.durability,
          {{"full", commit_durability::full}, {"os", commit_durability::os}});
  in.bytes("max_queued_bytes", out.max_queued_bytes);
}

bool is_false(const toml::node& node) {
  return node.is_boolean() && !node.as_boolean()->get();
}

void read_defaults(table_reader& in, default_parameters& out) {
  if (const auto* node = in.any("temperature")) {
    const auto value = node->is_boolean() ? std::nullopt : node->value<double>();
    if (!is_false(*node) && !(value >= 0.0 && value <= 2.0)) // not even NaN
      in.fail("temperature", "must be a number between 0 and 2, or false to add none");
    out.temperature = value;
  }
  if (const auto* node = in.any("max_tokens")) {
    const auto value = node->is_integer() ? node->value<std::int64_t>() : std::nullopt;
    if (!is_false(*node) && (!value || *value < 1))
      in.fail("max_tokens", "must be a whole number from 1 on, or false to add none");
    out.max_tokens = value;
  }
}

settings read_settings(const toml::table& table, const std::string& file,
                       const config_overrides& overrides) {
  settings out;
  table_reader in{table, file, ""};
  in.table("server", [&](table_reader& sub) { read_server(sub, out.server, file); });
  in.table("log", [&](table_reader& sub) {
    sub.text("level", out.log.level);
    sub.flag("content", out.log.content);
  });
  in.table("admin", [&](table_reader& sub) {
    read_admin(sub, out.admin, !overrides.without_secrets);
    std::string listen;
    sub.text("listen", listen);
    out.admin.own_listener = !listen.empty();
    if (out.admin.own_listener)
      apply_listen(out.admin, listen, file + ": admin.listen");
  });
  in.table("threads", [&](table_reader& sub) { read_threads(sub, out.threads); });
  in.table("store", [&](table_reader& sub) { read_store(sub, out.store); });
  in.table("defaults", [&](table_reader& sub) { read_defaults(sub, out.defaults); });
  in.tables("tenants", [&](table_reader& sub) {
    read_tenant(sub, out.tenants.emplace_back(), !overrides.without_secrets);
  });
  in.tables("prices", [&](table_reader& sub) { read_price(sub, out.prices.emplace_back()); });
  in.tables("upstreams", [&](table_reader& sub) {
    // The command line's key is for the first upstream.
    const bool overridden =
        out.upstreams.empty() && (overrides.upstream_key_env || overrides.upstream_url);
    read_upstream(sub, out.upstreams.emplace_back(), !overridden && !overrides.without_secrets);
  });
  in.tables("routes", [&](table_reader& sub) { read_route(sub, out.routes.emplace_back()); });
  in.table("routing", [&](table_reader& sub) { read_routing(sub, out.routing); });
  in.table("retry", [&](table_reader& sub) { read_retry(sub, out.retry); });
  in.table("breaker", [&](table_reader& sub) { read_breaker(sub, out.breaker); });
  in.finish();
  return out;
}

void apply_overrides(settings& out, const config_overrides& overrides) {
  if (overrides.listen)
    apply_listen(out.server, *overrides.listen, "--listen");
  if (overrides.data_dir) {
    out.store.engine = store_engine::sqlite;
    out.store.data_dir = *overrides.data_dir;
  }
  if (overrides.ephemeral)
    out.store.engine = store_engine::memory;
  if (out.upstreams.empty())
    out.upstreams.emplace_back().name = "main";
  auto& upstream = out.upstreams.front();
  if (overrides.upstream_url) {
    upstream.kind = upstream_kind::openai;
    upstream.base_url = *overrides.upstream_url;
    // Secrets of the config belong to the config's URL: they are never sent to another place.
    upstream.api_keys.clear();
    upstream.headers.clear();
    upstream.client_certificate.clear();
    upstream.client_key.clear();
  }
  if (overrides.upstream_key_env)
    upstream.api_keys = environment_secrets(*overrides.upstream_key_env, "--upstream-key-env");
  if (overrides.model)
    upstream.model = *overrides.model;
  if (!overrides.without_secrets)
    for (auto& x : out.upstreams)
      choose_proxy(x);
}

} // namespace

settings parse_settings(std::string_view text, const std::string& name,
                        const config_overrides& overrides) {
  toml::table table;
  try {
    table = toml::parse(text, name);
  } catch (const toml::parse_error& e) {
    throw config_error{name + ":" + std::to_string(e.source().begin.line) + ": "
                       + std::string{e.description()}};
  }
  auto result = read_settings(table, name, overrides);
  apply_overrides(result, overrides);
  if (!overrides.without_secrets)
    validate(result);
  return result;
}

settings load_settings(const std::string& file, const config_overrides& overrides) {
  if (file.empty())
    return parse_settings(default_config, "built-in config", overrides);
  std::ifstream in{file, std::ios::binary};
  if (!in)
    throw config_error{"cannot read the config file " + file};
  std::ostringstream text;
  text << in.rdbuf();
  return parse_settings(text.str(), file, overrides);
}

} // namespace lang_agent
