#include "messages/error.hpp"

namespace lang_agent {

namespace {

constexpr std::string_view invalid = "invalid_request_error";
constexpr std::string_view rate_limit = "rate_limit_error";
constexpr std::string_view quota = "insufficient_quota";
constexpr std::string_view unavailable = "service_unavailable_error";
constexpr std::string_view server = "server_error";
constexpr std::string_view upstream = "upstream_error";

} // namespace

const error_contract& contract_of(error_kind kind) {
  switch (kind) {
#define CONTRACT(kind_name, status, type, code)                                                    \
  case error_kind::kind_name: {                                                                    \
    static constexpr error_contract contract{status, type, code};                                  \
    return contract;                                                                               \
  }
    CONTRACT(invalid_request, 400, invalid, "")
    CONTRACT(invalid_json, 400, invalid, "invalid_json")
    CONTRACT(invalid_http, 400, invalid, "invalid_http")
    CONTRACT(invalid_api_key, 401, invalid, "invalid_api_key")
    CONTRACT(unknown_url, 404, invalid, "unknown_url")
    CONTRACT(model_not_found, 404, invalid, "model_not_found")
    CONTRACT(thread_not_found, 404, invalid, "thread_not_found")
    CONTRACT(tenant_not_found, 404, invalid, "tenant_not_found")
    CONTRACT(key_not_found, 404, invalid, "key_not_found")
    CONTRACT(tenant_is_configured, 409, invalid, "tenant_is_configured")
    CONTRACT(method_not_allowed, 405, invalid, "method_not_allowed")
    CONTRACT(request_timeout, 408, invalid, "request_timeout")
    CONTRACT(thread_busy, 409, invalid, "thread_busy")
    CONTRACT(thread_exists, 409, invalid, "thread_exists")
    CONTRACT(thread_changed, 409, invalid, "thread_changed")
    CONTRACT(idempotency_key_conflict, 409, invalid, "idempotency_key_conflict")
    CONTRACT(request_too_large, 413, invalid, "request_too_large")
    CONTRACT(unsupported_media_type, 415, invalid, "unsupported_media_type")
    CONTRACT(headers_too_large, 431, invalid, "headers_too_large")
    CONTRACT(thread_queue_full, 429, rate_limit, "thread_queue_full")
    CONTRACT(too_many_turns, 429, rate_limit, "too_many_turns")
    CONTRACT(tenant_connections, 429, rate_limit, "connection_limit_reached")
    CONTRACT(rate_limit_exceeded, 429, rate_limit, "rate_limit_exceeded")
    CONTRACT(insufficient_quota, 429, quota, "insufficient_quota")
    CONTRACT(too_many_threads, 403, quota, "thread_limit_reached")
    CONTRACT(too_many_bytes, 403, quota, "storage_limit_reached")
    CONTRACT(tenant_queue_full, 429, rate_limit, "tenant_queue_full")
    CONTRACT(queue_timeout, 503, unavailable, "queue_timeout")
    CONTRACT(overloaded, 503, unavailable, "server_is_overloaded")
    CONTRACT(too_many_connections, 503, unavailable, "too_many_connections")
    CONTRACT(shutting_down, 503, unavailable, "server_shutting_down")
    CONTRACT(storage_unavailable, 503, unavailable, "storage_unavailable")
    CONTRACT(client_gone, 499, invalid, "client_closed_request")
    CONTRACT(internal, 500, server, "internal_error")
    CONTRACT(upstream_rejected, 400, invalid, "")
    CONTRACT(context_too_long, 400, invalid, "context_length_exceeded")
    CONTRACT(upstream_rate_limited, 429, rate_limit, "rate_limit_exceeded")
    CONTRACT(upstream_auth_failed, 502, upstream, "upstream_auth_failed")
    CONTRACT(upstream_forbidden, 403, invalid, "upstream_forbidden")
    CONTRACT(upstream_unavailable, 503, unavailable, "upstream_unavailable")
    CONTRACT(upstream_unreachable, 502, upstream, "upstream_unreachable")
    CONTRACT(upstream_tls_failed, 502, upstream, "upstream_tls_failed")
    CONTRACT(upstream_error, 502, upstream, "upstream_error")
    CONTRACT(upstream_answer_too_long, 502, upstream, "upstream_answer_too_long")
    CONTRACT(upstream_cut, 502, upstream, "upstream_cut")
    CONTRACT(upstream_timeout, 504, upstream, "upstream_timeout")
    CONTRACT(upstream_connect_timeout, 504, upstream, "upstream_connect_timeout")
    CONTRACT(upstream_tls_timeout, 504, upstream, "upstream_tls_timeout")
    CONTRACT(upstream_first_token_timeout, 504, upstream, "upstream_first_token_timeout")
    CONTRACT(upstream_idle_timeout, 504, upstream, "upstream_idle_timeout")
    CONTRACT(upstream_total_timeout, 504, upstream, "upstream_total_timeout")
#undef CONTRACT
  }
  return contract_of(error_kind::internal);
}

failure internal_failure() {
  return {error_kind::internal,
          "The server failed to process this request. Please retry; if it happens again, report "
          "the x-request-id of this answer."};
}

} // namespace lang_agent
