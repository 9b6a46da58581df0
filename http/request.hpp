/// One HTTP request as the rest of the program sees it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace lang_agent::http {

/// What the API offers.
enum class endpoint : std::uint8_t {
  info,
  health,
  metrics,
  models,
  model,
  chat_completions,
  threads,
  thread,
  change_thread,
  delete_thread,
  thread_messages,
  fork_thread,
  export_thread,
  import_threads,
  admin_tenants, // from here to `drain`: the admin API
  admin_tenant,
  put_tenant,
  delete_tenant,
  tenant_keys,
  create_key,
  change_key,
  rotate_key,
  delete_key,
  usage,
  audit,
  admin_state,
  drain,
  preflight,
};

struct request_head {
  std::string method;
  std::string path;  ///< without query; slashes at the end and doubled ones are gone
  std::string query; ///< what follows '?', as it came
  bool is_http_1_1 = true;
  std::string authorization;
  std::string content_type;
  std::string request_id;        ///< the client's sane `x-request-id`, else one of ours
  std::string client_request_id; ///< `x-client-request-id`, for the log; may be empty
  std::string requested_headers; ///< of a CORS preflight
  std::string idempotency_key;   ///< `idempotency-key`; at most 255 visible characters
  bool is_retry = false;         ///< `x-stainless-retry-count` is above 0
  std::chrono::steady_clock::time_point received = {};

  // Set and understood by the service only, except for `streams_body`.
  std::shared_ptr<const void> caller; ///< whose request it is; null: anybody's
  endpoint target = endpoint::info;   ///< what it wants
  std::string parameter;              ///< the id in its path
  bool streams_body = false;          ///< serve it at once; the body is asked for in pieces
  /// What the connection holds of a share, from one request to the next, as long as it is open. The
  /// service sees it in `admit` and may replace it there.
  std::shared_ptr<void> connection_place;
};

struct request {
  request_head head;
  std::string body;
};

} // namespace lang_agent::http
