/// Exchanges with an upstream model over HTTP.
#pragma once

#include "http/io_threads.hpp"
#include "messages/base_url.hpp"
#include "messages/chat.hpp"
#include "messages/error.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lang_agent::http {

/// Hears of one exchange: any number of deltas, then exactly one of the other two, unless it is
/// cancelled. Called on threads of the pool, one call at a time.
class exchange_listener {
public:
  virtual ~exchange_listener() = default;
  virtual void on_deltas(std::vector<choice_delta> deltas) = 0;
  virtual void on_completed(answer result) = 0;
  virtual void on_failed(failure why) = 0;
};

/// One running exchange. Callable from any thread, also from its listener: nothing happens before
/// the call returns.
class exchange {
public:
  virtual ~exchange() = default;

  /// So many more bytes of deltas may come (`choice_delta::cost`). Without credit the upstream is
  /// not read.
  virtual void grant(std::size_t bytes) = 0;

  /// Closes the connection at once. The listener may still hear of what was under way.
  virtual void cancel() = 0;
};

struct exchange_request {
  const chat_parameters& parameters;
  const message_list& prompt;
  const std::string& request_id;
  std::size_t credit;  ///< for the deltas of a stream
  std::size_t key = 0; ///< which of the upstream's keys to use
  /// The exchange ends then at the latest; its own total timeout may end it before.
  std::chrono::steady_clock::time_point ends = std::chrono::steady_clock::time_point::max();
};

/// An upstream: its address, its keys, its idle connections. Thread-safe.
class upstream {
public:
  virtual ~upstream() = default;
  virtual std::shared_ptr<exchange> start(const exchange_request& request,
                                          std::shared_ptr<exchange_listener> listener) = 0;

  /// Asks whether it would answer now, at no cost in tokens. `done` is called once, on a thread of
  /// the pool.
  virtual void probe(std::function<void(bool healthy)> done) = 0;
};

struct upstream_options {
  std::string name; ///< for the log
  base_url url;
  std::vector<std::string> api_keys = {};            ///< none: no key is sent
  std::string model = {};                            ///< replaces the request's unless empty
  std::map<std::string, std::string> model_map = {}; ///< the request's to the upstream's name
  std::vector<std::pair<std::string, std::string>> headers =
      {}; ///< sent along, names in lower case
  bool replay_reasoning = false;
  std::size_t max_answer_bytes = 32 * 1024 * 1024;
  std::optional<proxy_address> proxy = {};
  std::string ca_file = {};                              ///< trusted instead of the system's; PEM
  std::string client_certificate = {};                   ///< file; PEM, with its chain
  std::string client_key = {};                           ///< file; PEM
  std::chrono::milliseconds connect_timeout{5'000};      ///< name resolution, TCP, proxy
  std::chrono::milliseconds tls_timeout{5'000};          ///< the TLS handshake
  std::chrono::milliseconds first_token_timeout{60'000}; ///< of a stream, from the request sent
  std::chrono::milliseconds answer_timeout{300'000};     ///< of a plain answer, to its first byte
  std::chrono::milliseconds idle_timeout{60'000};        ///< between deltas, or pieces of a body
  std::chrono::milliseconds total_timeout{600'000};
  std::chrono::milliseconds idle_connection_timeout{10'000};
  std::chrono::milliseconds max_connection_age{300'000}; ///< older ones are not used again
};

/// Any OpenAI-compatible server. An exchange begins on the thread that starts it. Throws
/// std::runtime_error that says which when a certificate or key file is of no use.
std::shared_ptr<upstream> make_openai_upstream(io_threads threads, upstream_options options);

} // namespace lang_agent::http
