#include "actors/api_service.hpp"

#include "actors/request_log.hpp"
#include "actors/turn_failures.hpp"
#include "http/documents.hpp"
#include "http/media_type.hpp"
#include "http/metrics_text.hpp"
#include "http/rate_headers.hpp"

#include <caf/send.hpp>

#include <algorithm>

namespace lang_agent {

namespace {

failure wrong_type(const std::string& given) {
  return {error_kind::unsupported_media_type,
          "The content type '" + given + "' is not supported. Send 'application/json'."};
}

/// A missing content type is taken for JSON.
bool is_json(const std::string& content_type) {
  return http::is_media_type(content_type, "")
         || http::is_media_type(content_type, "application/json");
}

/// Whether the request's connection has a place among those of its tenant, or gets one.
bool has_connection(http::request_head& head) {
  const auto& account = caller_of(head).owner->account;
  const auto* held = static_cast<const connection_place*>(head.connection_place.get());
  if (held && held->account == account)
    return true;
  head.connection_place = account->take_connection();
  return head.connection_place != nullptr;
}

http::response no_connection_left() {
  failure why{error_kind::tenant_connections,
              "Your account has too many open connections. Close some, or use them again."};
  why.retry_after = "1";
  auto out = http::error_response(why);
  out.closes = true;
  return out;
}

bool is_document(http::endpoint x) {
  using enum http::endpoint;
  return x == info || x == health || x == metrics || x == models || x == model;
}

bool takes_json(http::endpoint x) {
  using enum http::endpoint;
  return x == chat_completions || x == change_thread || x == fork_thread || x == put_tenant
         || x == create_key || x == change_key || x == rotate_key;
}

http::response preflight(const http::request_head& head) {
  http::response out;
  out.status = 204;
  http::add_header(out, "access-control-allow-methods",
                   "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
  http::add_header(out, "access-control-allow-headers",
                   head.requested_headers.empty()
                       ? "authorization, content-type, idempotency-key, x-request-id"
                       : head.requested_headers);
  http::add_header(out, "access-control-max-age", "86400");
  http::add_header(out, "allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
  return out;
}

http::response no_such_route(const http::no_route& x) {
  auto out = http::error_response(x.why);
  if (!x.allow.empty())
    http::add_header(out, "allow", x.allow);
  return out;
}

} // namespace

api_service::api_service(std::shared_ptr<const published<tenant_table>> tenants,
                         std::shared_ptr<const routing_table> routes,
                         std::vector<acceptor_actor> acceptors, admin_access admin)
    : tenants_(std::move(tenants)),
      routes_(std::move(routes)),
      acceptors_(std::move(acceptors)),
      admin_(std::move(admin)),
      offered_{!admin_.only, !admin_.keys.empty()} {}

std::optional<http::response> api_service::admit(http::request_head& head) {
  const auto found = http::find_route(head.method, head.path, offered_);
  if (const auto* none = std::get_if<http::no_route>(&found))
    return no_such_route(*none);
  const auto& route = std::get<http::route>(found);
  if (route.target == http::endpoint::preflight)
    return preflight(head);
  if (const auto why = authenticate(route.who, head))
    return http::error_response(*why);
  if (route.who == http::access::tenant && !has_connection(head))
    return no_connection_left();
  if (is_document(route.target))
    return document(route, head);
  if (draining_)
    return http::error_response(server_stops());
  head.target = route.target;
  head.parameter = route.parameter;
  head.streams_body = route.target == http::endpoint::import_threads;
  if (takes_json(route.target) && !is_json(head.content_type))
    return http::error_response(wrong_type(head.content_type));
  return std::nullopt;
}

/// Finds out who asks.
std::optional<failure> api_service::authenticate(http::access who, http::request_head& head) const {
  if (who == http::access::tenant) {
    auto caller = tenants_->current()->authenticate(head.authorization, unix_now());
    if (auto* why = std::get_if<failure>(&caller))
      return std::move(*why);
    head.caller = std::get<caller_ptr>(std::move(caller));
  } else if (who == http::access::admin) {
    auto caller = admin_.keys.authenticate(head.authorization);
    if (!caller)
      return failure{error_kind::invalid_api_key,
                     "This needs an admin key: 'Authorization: Bearer ADMIN_KEY'."};
    head.caller = std::move(caller);
  }
  return std::nullopt;
}

http::response api_service::document(const http::route& route,
                                     const http::request_head& head) const {
  const auto models = [&] {
    const auto& owner = *caller_of(head).owner;
    auto out = routes_->models(owner.name());
    std::erase_if(out, [&](const std::string& x) { return !owner.may_use(x); });
    return out;
  };
  http::response out;
  switch (route.target) {
  case http::endpoint::health:
    out.status = draining_ ? 503 : 200;
    out.body = http::health_document(!draining_);
    break;
  case http::endpoint::metrics:
    if (!metrics_)
      return http::error_response(http::unknown_url(head.method, head.path));
    out.content_type = http::metrics_text::content_type;
    out.body = metrics_();
    break;
  case http::endpoint::models:
    out.body = http::models_document(models(), created_);
    break;
  case http::endpoint::model:
    if (const auto known = models();
        std::find(known.begin(), known.end(), route.parameter) == known.end())
      return http::error_response({error_kind::model_not_found,
                                   "The model '" + route.parameter + "' does not exist.", "model"});
    out.body = http::model_document(route.parameter, created_);
    break;
  default:
    out.body = http::info_document();
  }
  return out;
}

void api_service::answered(const http::request_head& head, http::response& x) {
  if (head.caller && caller_of(head).owner) // not an admin
    http::add_rate_headers(x, rates_of(caller_of(head)));
  request_record record;
  record.head = head;
  record.status = x.status;
  log_request(record);
}

void api_service::serve(http::request x, std::unique_ptr<http::responder> out) {
  const auto next = next_acceptor_.fetch_add(1, std::memory_order_relaxed) % acceptors_.size();
  caf::anon_send(acceptors_[next], std::make_shared<incoming_request>(
                                       incoming_request{std::move(x), std::move(out)}));
}

} // namespace lang_agent
