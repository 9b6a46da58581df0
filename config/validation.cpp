#include "config/loader.hpp"
#include "config/units.hpp"

#include <algorithm>
#include <fstream>
#include <set>

namespace lang_agent {

namespace {

bool is_visible(char c) {
  return c > 0x20 && c < 0x7f;
}

void check_tenants(const settings& x) {
  if (x.tenants.empty())
    throw config_error{"no tenant is configured; add\n\n[[tenants]]\nname = \"default\"\n"
                       "keys = [\"a long random string\"]"};
  std::set<std::string> names;
  std::set<std::string> keys;
  for (const auto& tenant : x.tenants) {
    if (tenant.name.empty())
      throw config_error{"a tenant has no name; add name = \"...\" under [[tenants]]"};
    if (!names.insert(tenant.name).second)
      throw config_error{"two tenants are called \"" + tenant.name + "\"; names must differ"};
    if (tenant.keys.empty())
      throw config_error{"tenant \"" + tenant.name
                         + "\" has no key; add keys, keys_env or keys_file"};
    for (const auto& key : tenant.keys) {
      if (key.empty() || !std::all_of(key.begin(), key.end(), is_visible))
        throw config_error{"a key of tenant \"" + tenant.name
                           + "\" is empty or has characters other than visible ASCII"};
      if (!keys.insert(key).second)
        throw config_error{"a key of tenant \"" + tenant.name
                           + "\" is given twice; a key belongs to one tenant only"};
    }
  }
  if (!is_loopback(x.server.host) && keys.contains(well_known_key))
    throw config_error{"refusing to listen on " + x.server.host + " while the publicly known key \""
                       + well_known_key
                       + "\" is active: anybody could use your server. Either listen on "
                         "127.0.0.1, or replace the key under [[tenants]] in a config file "
                         "(--config FILE)"};
}

void check_admin(const settings& x) {
  constexpr std::size_t shortest = 16;
  for (const auto& key : x.admin.keys) {
    if (key.size() < shortest || !std::all_of(key.begin(), key.end(), is_visible))
      throw config_error{"an admin key must have at least " + std::to_string(shortest)
                         + " characters, all visible ASCII; make one with: openssl rand -hex 32"};
    for (const auto& tenant : x.tenants)
      if (std::find(tenant.keys.begin(), tenant.keys.end(), key) != tenant.keys.end())
        throw config_error{"an admin key is a key of tenant \"" + tenant.name
                           + "\", too; they must differ"};
  }
  if (x.admin.own_listener && x.admin.keys.empty())
    throw config_error{"admin.listen has no use without a key; add keys, keys_env or keys_file"};
}

bool is_token(char c) {
  return is_visible(c) && std::string_view{"\"(),/:;<=>?@[\\]{}"}.find(c) == std::string_view::npos;
}

/// Header names that an exchange writes itself, or that would change how its bytes are read.
bool is_ours(const std::string& name) {
  static const std::set<std::string> ours{"accept",
                                          "accept-encoding",
                                          "authorization",
                                          "connection",
                                          "content-encoding",
                                          "content-length",
                                          "content-type",
                                          "expect",
                                          "host",
                                          "keep-alive",
                                          "proxy-authorization",
                                          "proxy-connection",
                                          "te",
                                          "trailer",
                                          "transfer-encoding",
                                          "upgrade",
                                          "x-request-id"};
  return ours.contains(name);
}

template <class Fail>
void check_headers(const upstream_settings& x, const Fail& fail) {
  for (const auto& [name, value] : x.headers) {
    if (name.empty() || !std::all_of(name.begin(), name.end(), is_token))
      fail("\"" + name + "\" is no name of a header");
    // A key in `api-key` style replaces `authorization`; both would be odd, but are no harm.
    if (is_ours(name) && !(name == "authorization" && x.api_keys.empty()))
      fail("the header \"" + name + "\" cannot be configured");
    if (!std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c < 0x7f; }))
      fail("the header \"" + name + "\" has characters other than printable ASCII");
  }
}

template <class Fail>
void check_policy(const parameter_policy& x, const Fail& fail) {
  const auto check = [&](const std::string& name, const char* key) {
    if (name.empty())
      fail(std::string{"parameters."} + key + " has an empty name");
    if (name == "messages" || name == "model")
      fail(std::string{"parameters."} + key + ": no request goes without \"" + name + "\"");
  };
  for (const auto& name : x.refuse)
    check(name, "refuse");
  for (const auto& name : x.drop) {
    check(name, "drop");
    if (name == "stream")
      fail("parameters.drop: the upstream has to know whether to \"stream\"");
    if (std::find(x.refuse.begin(), x.refuse.end(), name) != x.refuse.end())
      fail("parameters: \"" + name + "\" is both dropped and refused");
    if (x.rename.contains(name))
      fail("parameters: \"" + name + "\" is both dropped and renamed");
  }
  for (const auto& [from, to] : x.rename) {
    for (const auto& name : {from, to}) {
      check(name, "rename");
      if (name == "stream" || name == "stream_options")
        fail("parameters.rename: \"" + name + "\" cannot be renamed or replaced");
    }
    if (from == to)
      fail("parameters.rename: \"" + from + "\" is renamed to itself");
  }
}

template <class Fail>
void check_models(const upstream_settings& x, const Fail& fail) {
  if (std::find(x.models.begin(), x.models.end(), "") != x.models.end())
    fail("models has an empty name");
  for (const auto& [name, theirs] : x.model_map)
    if (name.empty() || theirs.empty())
      fail("model_map has an empty name");
}

template <class Fail>
void check_files(const upstream_settings& x, const Fail& fail) {
  for (const auto& [key, file] :
       {std::pair{"ca_file", x.ca_file}, std::pair{"client_certificate", x.client_certificate},
        std::pair{"client_key", x.client_key}})
    // A directory can be opened, but has nothing to read.
    if (!file.empty() && std::ifstream{file}.peek() == std::ifstream::traits_type::eof())
      fail(std::string{key} + " " + file + " cannot be read, or is empty");
  if (x.client_certificate.empty() != x.client_key.empty())
    fail("client_certificate and client_key belong together; one of them is missing");
}

void check_upstreams(const settings& x) {
  std::set<std::string> names;
  for (const auto& upstream : x.upstreams) {
    const auto fail = [&](const std::string& problem) {
      throw config_error{"upstream \"" + upstream.name + "\": " + problem};
    };
    if (upstream.name.empty() || !names.insert(upstream.name).second)
      fail("every upstream needs a name of its own");
    check_policy(upstream.parameters, fail);
    check_models(upstream, fail);
    if (upstream.kind == upstream_kind::builtin)
      continue;
    if (upstream.max_answer_bytes < 1024)
      fail("max_answer_bytes must be at least \"1KiB\"");
    for (const auto& key : upstream.api_keys)
      if (!std::all_of(key.begin(), key.end(), is_visible))
        fail("an API key has characters other than visible ASCII");
    if (!parse_base_url(upstream.base_url))
      fail("base_url must start with http:// or https:// and have neither credentials nor a query, "
           "e.g. \"https://api.openai.com/v1\"");
    for (const auto value :
         {upstream.connect_timeout, upstream.tls_timeout, upstream.first_token_timeout,
          upstream.answer_timeout, upstream.idle_timeout, upstream.total_timeout})
      if (value <= milliseconds{0})
        fail("its timeouts must be longer than 0");
    check_headers(upstream, fail);
    check_files(upstream, fail);
  }
}

template <class Names>
void check_known(const std::vector<std::string>& given, const Names& known,
                 const std::string& what) {
  for (const auto& name : given)
    if (!known.contains(name))
      throw config_error{"a route names the " + what + " \"" + name
                         + "\", which is not configured"};
}

void check_routes(const settings& x) {
  std::set<std::string> upstreams;
  std::set<std::string> tenants;
  for (const auto& upstream : x.upstreams)
    upstreams.insert(upstream.name);
  for (const auto& tenant : x.tenants)
    tenants.insert(tenant.name);
  for (const auto& route : x.routes) {
    if (route.models.empty())
      throw config_error{"a route names no model; add models = [\"...\"] under [[routes]]"};
    if (route.groups.empty())
      throw config_error{"a route names no upstream; add upstreams = [[\"...\"]] under [[routes]]"};
    check_known(route.tenants, tenants, "tenant");
    for (const auto& group : route.groups) {
      if (group.empty())
        throw config_error{"a group of a route has no upstream"};
      check_known(group, upstreams, "upstream");
      if (std::set<std::string>{group.begin(), group.end()}.size() != group.size())
        throw config_error{"a group of a route names an upstream twice"};
    }
  }
}

void check_failure_rules(const settings& x) {
  if (x.retry.max_delay < x.retry.base_delay)
    throw config_error{"retry.max_delay must not be shorter than retry.base_delay"};
  if (!(x.breaker.failure_rate > 0))
    throw config_error{"breaker.failure_rate must be above 0; with 1 all attempts have to fail"};
  if (x.breaker.window < milliseconds{1'000})
    throw config_error{"breaker.window must be at least \"1s\""};
  if (x.breaker.open_time <= milliseconds{0} || x.breaker.max_open_time < x.breaker.open_time)
    throw config_error{"breaker.open_time must be longer than 0, and max_open_time not shorter"};
}

} // namespace

void validate(const settings& x) {
  static const std::set<std::string> levels{"trace", "debug", "info", "warn", "error", "off"};
  if (!levels.contains(x.log.level))
    throw config_error{"log.level is \"" + x.log.level
                       + "\"; it must be one of trace, debug, info, warn, error, off"};
  if (x.server.max_header_bytes < 1024)
    throw config_error{"server.max_header_bytes must be at least \"1KiB\""};
  if (x.server.max_header_bytes > 1024 * 1024 * 1024)
    throw config_error{"server.max_header_bytes must be at most \"1GiB\""};
  if (x.server.stream_buffer_bytes < 4096)
    throw config_error{"server.stream_buffer_bytes must be at least \"4KiB\""};
  for (const auto value : {x.server.header_timeout, x.server.body_timeout, x.server.write_timeout,
                           x.server.keepalive_timeout})
    if (value <= milliseconds{0})
      throw config_error{"the timeouts under [server] must be longer than 0"};
  for (const auto& [name, value] : {std::pair{"server.sse_keepalive", x.server.sse_keepalive},
                                    std::pair{"server.json_keepalive", x.server.json_keepalive}})
    if (value != milliseconds{0} && value < milliseconds{100})
      throw config_error{std::string{name} + " must be \"0s\" or at least \"100ms\""};
  if (x.threads.idle_after <= milliseconds{0})
    throw config_error{"threads.idle_after must be longer than 0"};
  if (x.store.engine == store_engine::sqlite && x.store.data_dir.empty())
    throw config_error{"store.data_dir is empty; name a directory for the database"};
  for (const auto& [name, bytes] :
       {std::pair{"store.max_queued_bytes", x.store.max_queued_bytes},
        std::pair{"threads.max_active_bytes", x.threads.max_active_bytes}})
    if (bytes < 1024)
      throw config_error{std::string{name} + " must be at least \"1KiB\""};
  check_tenants(x);
  check_admin(x);
  check_upstreams(x);
  check_routes(x);
  check_failure_rules(x);
}

} // namespace lang_agent
