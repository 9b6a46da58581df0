/// The closed list of everything that can go wrong, and how each kind looks to a client.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace lang_agent {

enum class error_kind : std::uint8_t {
  // The client's request.
  invalid_request,          ///< a field is missing, of the wrong type or out of range
  invalid_json,             ///< the body is no JSON document, or nested too deep
  invalid_http,             ///< the bytes are no valid HTTP request
  invalid_api_key,          ///< no key, or one that no tenant has
  unknown_url,              ///< no such path
  model_not_found,          ///< no such model in the list
  thread_not_found,         ///< the tenant has no such thread
  tenant_not_found,         ///< of the admin API: no such tenant
  key_not_found,            ///< ... or API key
  tenant_is_configured,     ///< the config file says what it is
  method_not_allowed,       ///< the path exists, the method does not
  request_timeout,          ///< the client took too long to send its request
  thread_busy,              ///< `on_busy = "reject"` and a turn is running
  thread_exists,            ///< the id for a new thread is taken
  thread_changed,           ///< the thread was changed or deleted under a turn
  idempotency_key_conflict, ///< the key belongs to another request
  request_too_large,        ///< body above its limit
  unsupported_media_type,   ///< not application/json
  headers_too_large,        ///< request head above its limit
  // Our limits.
  thread_queue_full,    ///< too many turns wait for one thread
  too_many_turns,       ///< the tenant, or its key, has too many turns in flight
  tenant_connections,   ///< ... or too many open connections
  rate_limit_exceeded,  ///< ... or too many requests or tokens a minute
  insufficient_quota,   ///< ... or has used up its budget of the day or month
  too_many_threads,     ///< the tenant has as many threads as it may
  too_many_bytes,       ///< the tenant has as much in the store as it may
  tenant_queue_full,    ///< too many turns of the tenant wait for the upstream
  queue_timeout,        ///< a turn waited too long before it could start
  overloaded,           ///< the queue to the upstream is full
  too_many_connections, ///< too many open connections
  shutting_down,        ///< the server is draining
  storage_unavailable,  ///< the store could not load or commit
  client_gone,          ///< the client left before the answer; nobody sees it but the log
  internal,             ///< a fault of ours; details only in the log
  // The upstream.
  upstream_rejected,            ///< its 4xx about the request itself, passed on
  context_too_long,             ///< the prompt is longer than the model takes
  upstream_rate_limited,        ///< its 429, passed on
  upstream_auth_failed,         ///< it refused our key
  upstream_forbidden,           ///< its 403: about the request or about our key, who knows
  upstream_unavailable,         ///< it failed so often that it is left alone for a while
  upstream_unreachable,         ///< no connection could be made
  upstream_tls_failed,          ///< no secure connection could be made
  upstream_error,               ///< its 5xx, or an answer that makes no sense
  upstream_answer_too_long,     ///< its answer is above our limit
  upstream_cut,                 ///< the answer broke off in the middle
  upstream_timeout,             ///< its own 408 or 504
  upstream_connect_timeout,     ///< name resolution and TCP took too long
  upstream_tls_timeout,         ///< the TLS handshake took too long
  upstream_first_token_timeout, ///< the answer did not begin in time
  upstream_idle_timeout,        ///< the answer paused for too long
  upstream_total_timeout,       ///< the whole answer took too long
};

inline constexpr std::size_t error_kind_count =
    static_cast<std::size_t>(error_kind::upstream_total_timeout) + 1;

/// What a client sees of an error kind.
struct error_contract {
  int status;            ///< HTTP status
  std::string_view type; ///< OpenAI's `error.type`
  std::string_view code; ///< OpenAI's `error.code`; empty is null
};

/// The one table from error kind to HTTP status and OpenAI's type and code.
const error_contract& contract_of(error_kind kind);

/// One failed request or turn. Holds nothing that a client must not see.
struct failure {
  error_kind kind = error_kind::internal;
  std::string message;
  std::string param = {};          ///< the field at fault; empty is null
  std::string code = {};           ///< replaces the kind's own code
  std::string type = {};           ///< replaces the kind's own type
  int status = 0;                  ///< replaces the kind's own status
  std::string retry_after = {};    ///< value of `retry-after`; empty sends none
  std::string retry_after_ms = {}; ///< the same, finer
  bool is_final = false;           ///< a retry is in vain, although the status invites to one

  int http_status() const {
    return status ? status : contract_of(kind).status;
  }
};

/// The failure for faults of ours: says nothing about our inside.
failure internal_failure();

} // namespace lang_agent
