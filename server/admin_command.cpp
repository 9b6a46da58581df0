#include "server/admin_command.hpp"

#include "config/units.hpp"
#include "http/account_codec.hpp"
#include "http/api_client.hpp"
#include "http/thread_reader.hpp"
#include "http/uri.hpp"
#include "messages/unix_time.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>

namespace lang_agent {

namespace {

std::runtime_error problem(const std::string& text) {
  return std::runtime_error{text};
}

base_url server_of(const admin_options& options) {
  auto url = parse_base_url(options.url);
  if (!url)
    throw problem("--url must look like http://localhost:8488");
  return std::move(*url);
}

std::string key_of(const admin_options& options) {
  if (!options.key.empty())
    return options.key;
  const char* value = std::getenv(options.key_env.c_str());
  if (!value || !*value)
    throw problem("there is no admin key; put it into the environment variable " + options.key_env
                  + ", or name another one with --key-env");
  return value;
}

/// In seconds.
std::int64_t duration_of(const std::string& text, const char* option) {
  const auto x = parse_duration(text);
  if (!x)
    throw problem(std::string{option} + " must be a duration like \"1h\" or \"30d\"");
  return std::chrono::duration_cast<std::chrono::seconds>(*x).count();
}

std::string read_all(const std::string& file) {
  if (file.empty())
    return {std::istreambuf_iterator<char>{std::cin}, {}};
  std::ifstream in{file, std::ios::binary};
  if (!in)
    throw problem("cannot read " + file);
  return {std::istreambuf_iterator<char>{in}, {}};
}

std::string key_body(const admin_options& options) {
  http::key_change out;
  out.label = options.label;
  if (options.expires)
    out.expires = *options.expires == "never"
                      ? 0
                      : unix_now() + 1000 * duration_of(*options.expires, "--expires");
  if (options.limits)
    out.limits = *options.limits == "none" ? "" : *options.limits;
  if (options.disable || options.enable)
    out.disabled = options.disable;
  return http::encode_key_change(out);
}

struct call {
  const char* method;
  std::string path;
  std::string body = {};
};

call call_of(const admin_options& options) {
  const auto id = http::percent_encoded(options.id);
  const auto tenant = "/admin/v1/tenants/" + id;
  const auto key = "/admin/v1/keys/" + id;
  switch (options.action) {
  case admin_action::list_tenants:
    return {"GET", "/admin/v1/tenants"};
  case admin_action::show_tenant:
    return {"GET", tenant};
  case admin_action::put_tenant:
    return {"PUT", tenant, read_all(options.file)};
  case admin_action::delete_tenant:
    return {"DELETE", tenant};
  case admin_action::list_keys:
    return {"GET", tenant + "/keys"};
  case admin_action::create_key:
    return {"POST", tenant + "/keys", key_body(options)};
  case admin_action::change_key:
    return {"PATCH", key, key_body(options)};
  case admin_action::rotate_key: {
    http::key_change change;
    change.overlap_s = duration_of(options.overlap, "--overlap");
    return {"POST", key + "/rotate", http::encode_key_change(change)};
  }
  case admin_action::delete_key:
    return {"DELETE", key};
  case admin_action::usage:
    return {"GET", "/admin/v1/usage?" + options.query + (options.csv ? "&format=csv" : "")};
  }
  throw problem("unknown command");
}

} // namespace

int run_admin_command(const admin_options& options) {
  const http::api_client client{server_of(options), key_of(options)};
  const auto call = call_of(options);
  http::api_client::source body;
  if (!call.body.empty())
    body = [text = call.body, sent = false]() mutable {
      return std::exchange(sent, true) ? std::string{} : text;
    };
  const auto reply = client.call(call.method, call.path, body);
  if (reply.status == 200) {
    std::fwrite(reply.body.data(), 1, reply.body.size(), stdout);
    if (!reply.body.ends_with('\n'))
      std::fputc('\n', stdout);
    return EXIT_SUCCESS;
  }
  const auto message = http::decode_error_message(reply.body);
  throw problem("the server answered " + std::to_string(reply.status)
                + (message.empty() ? "" : ": " + message));
}

} // namespace lang_agent
