#include "http/routes.hpp"

#include "http/uri.hpp"

#include <array>
#include <optional>

namespace lang_agent::http {

namespace {

struct entry {
  std::string_view path; ///< "{id}" stands for one segment, "{rest}" for all that follows
  std::string_view method;
  endpoint target;
  access who;
};

constexpr std::array<entry, 27> table{{
    {"/", "GET", endpoint::info, access::anybody},
    {"/health", "GET", endpoint::health, access::anybody},
    {"/metrics", "GET", endpoint::metrics, access::anybody},
    {"/v1/models", "GET", endpoint::models, access::tenant},
    {"/v1/models/{rest}", "GET", endpoint::model, access::tenant},
    {"/v1/chat/completions", "POST", endpoint::chat_completions, access::tenant},
    {"/v1/threads", "GET", endpoint::threads, access::tenant},
    {"/v1/threads/{id}", "GET", endpoint::thread, access::tenant},
    {"/v1/threads/{id}", "PATCH", endpoint::change_thread, access::tenant},
    {"/v1/threads/{id}", "DELETE", endpoint::delete_thread, access::tenant},
    {"/v1/threads/{id}/messages", "GET", endpoint::thread_messages, access::tenant},
    {"/v1/threads/{id}/fork", "POST", endpoint::fork_thread, access::tenant},
    {"/v1/threads/{id}/export", "GET", endpoint::export_thread, access::tenant},
    {"/v1/threads/import", "POST", endpoint::import_threads, access::tenant},
    {"/admin/v1/tenants", "GET", endpoint::admin_tenants, access::admin},
    {"/admin/v1/tenants/{id}", "GET", endpoint::admin_tenant, access::admin},
    {"/admin/v1/tenants/{id}", "PUT", endpoint::put_tenant, access::admin},
    {"/admin/v1/tenants/{id}", "DELETE", endpoint::delete_tenant, access::admin},
    {"/admin/v1/tenants/{id}/keys", "GET", endpoint::tenant_keys, access::admin},
    {"/admin/v1/tenants/{id}/keys", "POST", endpoint::create_key, access::admin},
    {"/admin/v1/keys/{id}", "PATCH", endpoint::change_key, access::admin},
    {"/admin/v1/keys/{id}", "DELETE", endpoint::delete_key, access::admin},
    {"/admin/v1/keys/{id}/rotate", "POST", endpoint::rotate_key, access::admin},
    {"/admin/v1/usage", "GET", endpoint::usage, access::admin},
    {"/admin/v1/audit", "GET", endpoint::audit, access::admin},
    {"/admin/v1/state", "GET", endpoint::admin_state, access::admin},
    {"/admin/v1/drain", "POST", endpoint::drain, access::admin},
}};

/// What stands for the parameter in a path of this form; empty if the form has none. Unset: the
/// path is of another form.
std::optional<std::string_view> match(std::string_view form, std::string_view path) {
  const auto open = form.find('{');
  if (open == std::string_view::npos)
    return form == path ? std::optional{std::string_view{}} : std::nullopt;
  const auto close = form.find('}');
  const auto before = form.substr(0, open);
  const auto after = form.substr(close + 1);
  if (path.size() <= before.size() + after.size() || !path.starts_with(before)
      || !path.ends_with(after))
    return std::nullopt;
  path = path.substr(before.size(), path.size() - before.size() - after.size());
  const bool one_segment = form.substr(open, close + 1 - open) == "{id}";
  if (one_segment && path.find('/') != std::string_view::npos)
    return std::nullopt;
  return path;
}

} // namespace

failure unknown_url(std::string_view method, std::string_view path) {
  return {error_kind::unknown_url, "Unknown request URL: " + std::string{method} + " "
                                       + std::string{path} + ". Please check the URL for typos."};
}

std::variant<route, no_route> find_route(std::string_view method, std::string_view path,
                                         const offered_access& offered) {
  std::string allow;
  for (const auto& x : table) {
    if ((x.who == access::tenant && !offered.tenant) || (x.who == access::admin && !offered.admin))
      continue;
    const auto parameter = match(x.path, path);
    if (!parameter)
      continue;
    const bool also_head = x.method == "GET" && method == "HEAD";
    if (method == x.method || also_head)
      return route{x.target, x.who, percent_decoded(*parameter)};
    allow.append(x.method).append(x.method == "GET" ? ", HEAD, " : ", ");
  }
  if (method == "OPTIONS" && (!allow.empty() || path == "*"))
    return route{endpoint::preflight, access::anybody};
  if (!allow.empty())
    return no_route{{error_kind::method_not_allowed,
                     "Not allowed to " + std::string{method} + " on " + std::string{path} + "."},
                    allow + "OPTIONS"};
  return no_route{unknown_url(method, path), {}};
}

} // namespace lang_agent::http
