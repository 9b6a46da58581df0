/// Exchanges with an upstream model over HTTP.
#pragma once

#include "messages/base_url.hpp"
#include "messages/chat.hpp"
#include "messages/error.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
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
  std::size_t credit; ///< for the deltas of a stream
};

/// An upstream: its address, its key, its idle connections. Thread-safe.
class upstream {
public:
  virtual ~upstream() = default;
  virtual std::shared_ptr<exchange> start(const exchange_request& request,
                                          std::shared_ptr<exchange_listener> listener) = 0;
};

struct upstream_options {
  std::string name; ///< for the log
  base_url url;
  std::string api_key; ///< empty: none is sent
  std::string model;   ///< replaces the request's unless empty
  bool replay_reasoning = false;
  std::size_t max_answer_bytes = 32 * 1024 * 1024;
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds first_byte_timeout{60'000};
  std::chrono::milliseconds idle_timeout{60'000};
  std::chrono::milliseconds total_timeout{600'000};
  std::chrono::milliseconds idle_connection_timeout{10'000};
};

/// Any OpenAI-compatible server. `context` must outlive it.
std::shared_ptr<upstream> make_openai_upstream(boost::asio::io_context& context,
                                               upstream_options options);

} // namespace lang_agent::http
