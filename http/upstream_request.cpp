#include "http/upstream_request.hpp"

#include "http/proxy_tunnel.hpp"

#include <algorithm>

namespace lang_agent::http {

namespace {

void add(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ").append(value).append("\r\n");
}

bool is_configured(const upstream_options& options, std::string_view name) {
  return std::any_of(options.headers.begin(), options.headers.end(),
                     [&](const auto& x) { return x.first == name; });
}

} // namespace

std::string upstream_model(const upstream_options& options, const std::string& asked) {
  if (!options.model.empty())
    return options.model;
  const auto mapped = options.model_map.find(asked);
  return mapped == options.model_map.end() ? asked : mapped->second;
}

std::string upstream_head(const upstream_options& options, std::string_view method,
                          std::string_view path, std::size_t key) {
  const auto& url = options.url;
  const bool forwarded = options.proxy && !url.tls; // the proxy reads the target, not a server
  std::string head{method};
  head += ' ';
  if (forwarded)
    head += "http://" + url.authority;
  head.append(url.path).append(path).append(" HTTP/1.1\r\n");
  add(head, "host", url.authority);
  if (forwarded && !options.proxy->credentials.empty())
    add(head, "proxy-authorization", basic_authorization(options.proxy->credentials));
  if (!is_configured(options, "user-agent"))
    add(head, "user-agent", "lang-agent");
  if (key < options.api_keys.size())
    add(head, "authorization", "Bearer " + options.api_keys[key]);
  for (const auto& [name, value] : options.headers)
    add(head, name, value);
  return head;
}

} // namespace lang_agent::http
