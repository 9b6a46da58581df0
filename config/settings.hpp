/// Everything that can be configured, with its default. Units are in the types; keys and their
/// meaning are documented in `lang-agent.toml`. Immutable once the server runs.
#pragma once

#include "messages/base_url.hpp"
#include "messages/limits.hpp"
#include "messages/parameter_policy.hpp"
#include "messages/tenant.hpp"
#include "messages/thread_policy.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lang_agent {

using std::chrono::milliseconds;

/// The key of the original service's documentation: known to everybody.
inline constexpr const char* well_known_key = "123tangledup-ai";

struct server_settings {
  std::string host = "127.0.0.1";
  std::uint16_t port = 8488;
  unsigned threads = 0; ///< of the one pool for sockets and actors; 0 = as many as processors
  std::size_t max_connections = 10'000;
  std::size_t max_header_bytes = 64 * 1024;
  std::size_t max_body_bytes = 32 * 1024 * 1024;
  unsigned max_json_depth = 128;
  std::size_t max_messages = 20'000; ///< in one request
  std::size_t stream_buffer_bytes = 64 * 1024;
  milliseconds header_timeout{15'000};
  milliseconds body_timeout{120'000};
  milliseconds write_timeout{60'000};
  milliseconds keepalive_timeout{75'000};
  milliseconds sse_keepalive{15'000}; ///< a comment in a silent stream; 0 = none
  milliseconds json_keepalive{0};     ///< white space before a plain answer; 0 = none
  milliseconds drain_timeout{60'000};
  bool metrics = false; ///< GET /metrics, for anybody

  bool operator==(const server_settings&) const = default;
};

struct log_settings {
  std::string level = "info";
  bool content = false; ///< log the text of messages

  bool operator==(const log_settings&) const = default;
};

struct thread_settings {
  std::string default_thread = "3"; ///< empty: requests without a thread are stateless
  busy_policy on_busy = busy_policy::enqueue;
  disconnect_policy on_disconnect = disconnect_policy::cancel;
  std::size_t max_waiting = 1024;
  milliseconds wait_timeout{600'000};
  std::size_t max_context_messages = 0; ///< 0 = unlimited
  std::size_t max_context_tokens = 0;   ///< estimated; 0 = unlimited
  bool retry_with_less_context = true;
  milliseconds replay_window{600'000}; ///< answers are kept so long for retries; 0 = not at all
  milliseconds idle_after{300'000};    ///< then a conversation leaves memory
  std::size_t max_active_bytes = 1024 * 1024 * 1024; ///< of conversations in memory

  bool operator==(const thread_settings&) const = default;
};

/// The admin API; off without a key.
struct admin_settings {
  std::vector<std::string> keys;
  bool own_listener = false; ///< else it is where the API is
  std::string host;
  std::uint16_t port = 0;

  bool operator==(const admin_settings&) const = default;
};

enum class store_engine : std::uint8_t { sqlite, memory };
enum class commit_durability : std::uint8_t { full, os };

struct store_settings {
  store_engine engine = store_engine::sqlite;
  std::string data_dir = "lang-agent-data";
  commit_durability durability = commit_durability::full;
  std::size_t max_queued_bytes = 64 * 1024 * 1024;

  bool operator==(const store_settings&) const = default;
};

/// Parameters that are added to requests that lack them.
struct default_parameters {
  std::optional<double> temperature = 0.7;
  std::optional<std::int64_t> max_tokens = 500;

  bool operator==(const default_parameters&) const = default;
};

/// What the tokens of some models cost.
struct price_settings {
  std::vector<std::string> models; ///< names; a "*" stands for anything
  token_price price;

  bool operator==(const price_settings&) const = default;
};

enum class upstream_kind : std::uint8_t { builtin, openai };

/// The model inside the process.
struct builtin_settings {
  std::uint64_t seed = 1;
  milliseconds first_token_delay{0};
  milliseconds token_interval{0};
  std::size_t words = 0; ///< length of each answer; 0 = as long as what it has to say

  bool operator==(const builtin_settings&) const = default;
};

struct upstream_settings {
  std::string name;
  upstream_kind kind = upstream_kind::builtin;
  std::string base_url;
  std::vector<std::string> api_keys; ///< from `api_key_env` or `api_key_file`; none: none is sent
  std::string model;                 ///< replaces the request's model unless empty
  std::map<std::string, std::string> model_map; ///< the request's model to the upstream's
  std::vector<std::string> models;              ///< served by it; empty: see `served_models`
  unsigned weight = 1;                          ///< its share beside others of its group
  int priority = 0;                             ///< the lowest come first
  bool replay_reasoning = false;
  parameter_policy parameters;
  std::size_t max_concurrency = 20'000;
  std::size_t max_answer_bytes = 32 * 1024 * 1024;
  milliseconds connect_timeout{5'000};
  milliseconds tls_timeout{5'000};
  milliseconds first_token_timeout{60'000};
  milliseconds answer_timeout{300'000};
  milliseconds idle_timeout{60'000};
  milliseconds total_timeout{600'000};
  milliseconds idle_connection_timeout{10'000};
  milliseconds max_connection_age{300'000};
  milliseconds probe_interval{0}; ///< while it is left alone; 0 = turns alone find out
  std::optional<proxy_address> proxy;
  bool proxy_from_environment = true; ///< when none is configured
  std::string ca_file;
  std::string client_certificate;
  std::string client_key;
  std::map<std::string, std::string>
      headers; ///< sent along; names in lower case, secrets among values
  builtin_settings builtin;

  bool operator==(const upstream_settings&) const = default;
};

/// What clients may call the models of an upstream: `models`; else what its model or its map names;
/// else its own name.
std::vector<std::string> served_models(const upstream_settings& x);

/// Which upstreams answer for some models.
struct route_settings {
  std::vector<std::string> models;              ///< names; a "*" stands for anything
  std::vector<std::string> tenants;             ///< none: all
  std::vector<std::vector<std::string>> groups; ///< names of upstreams; groups are fall-backs

  bool operator==(const route_settings&) const = default;
};

enum class unknown_model_policy : std::uint8_t { use_any, refuse };

struct routing_settings {
  unknown_model_policy unknown_model = unknown_model_policy::use_any;
  std::size_t max_waiting = 10'000; ///< turns that wait for a free place at their upstreams
  milliseconds wait_timeout{5'000};

  bool operator==(const routing_settings&) const = default;
};

struct retry_settings {
  unsigned max_attempts = 4;       ///< of one turn, fall-backs included
  unsigned attempts_per_group = 2; ///< ... before the next group
  milliseconds base_delay{250};    ///< full jitter: random up to this, doubled each time
  milliseconds max_delay{5'000};
  double budget = 0.2; ///< retries as a share of turns

  bool operator==(const retry_settings&) const = default;
};

struct breaker_settings {
  unsigned consecutive_failures = 5;
  double failure_rate = 0.5; ///< of at least `min_attempts` in `window`
  unsigned min_attempts = 20;
  milliseconds window{30'000};
  milliseconds open_time{5'000}; ///< doubled each time it fails again
  milliseconds max_open_time{60'000};

  bool operator==(const breaker_settings&) const = default;
};

struct settings {
  server_settings server;
  log_settings log;
  admin_settings admin;
  thread_settings threads;
  store_settings store;
  default_parameters defaults;
  std::vector<tenant_settings> tenants;
  std::vector<price_settings> prices; ///< the first that fits a model counts; without any: nothing
  std::vector<upstream_settings> upstreams;
  std::vector<route_settings> routes;
  routing_settings routing;
  retry_settings retry;
  breaker_settings breaker;

  bool operator==(const settings&) const = default;
};

} // namespace lang_agent
