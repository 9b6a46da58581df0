/// The two interfaces between connections and the rest of the program. `http/` knows no actors: a
/// connection hands its requests to a `service`, which answers through a `responder`.
#pragma once

#include "http/request.hpp"
#include "http/response.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

namespace lang_agent::http {

/// Who wants to know what becomes of an answer. Called on a thread of the pool, one call at a time.
class response_listener {
public:
  virtual ~response_listener() = default;

  /// So many bytes given to `begin`, `write` and `end` have reached the client's socket.
  virtual void on_drained(std::size_t bytes) = 0;

  /// The client closed its connection. At most once, and not after the end of the answer.
  virtual void on_gone() = 0;

  /// Nothing was sent for as long as was said to `listen`; comes again while the silence lasts.
  virtual void on_silence() {}

  /// The piece of the body that was asked for with `read_body`; `last`: nothing follows. Only for
  /// requests whose body is streamed.
  virtual void on_body(std::string piece, bool last) {
    static_cast<void>(piece);
    static_cast<void>(last);
  }
};

/// Answers one request. May be called from any thread, one at a time; calls after the end or after
/// the client has gone do nothing. Dropping it unanswered sends a 500, or cuts a begun stream.
class responder {
public:
  virtual ~responder() = default;

  /// Asks for events; `on_drained` comes at most once per `drain_step` bytes, `on_silence` after so
  /// long a silence (0: never) while no body is being read.
  virtual void listen(std::shared_ptr<response_listener> listener, std::size_t drain_step,
                      std::chrono::milliseconds silence) = 0;

  /// Asks for the next piece of a streamed body, of 64 KiB at most. One at a time, after `listen`.
  /// `send` and `begin` give up what is left of the body: no piece comes after them.
  virtual void read_body() = 0;

  /// The whole answer.
  virtual void send(response x) = 0;

  /// Starts a stream; the body is its first piece.
  virtual void begin(response x) = 0;
  virtual void write(std::string piece) = 0;

  /// Ends a stream with a last piece.
  virtual void end(std::string piece) = 0;
};

/// What a server does with requests. Called on threads of the pool, concurrently.
class service {
public:
  virtual ~service() = default;

  /// Sees the head before the body is read. Returns the answer, if it needs no body.
  virtual std::optional<response> admit(request_head& head) = 0;

  /// An answer goes out without `serve`: from `admit`, for a body that is too large or late, or for
  /// bytes that are no request. May add headers.
  virtual void answered(const request_head& head, response& x) = 0;

  /// Takes over a complete request that was admitted.
  virtual void serve(request x, std::unique_ptr<responder> out) = 0;
};

} // namespace lang_agent::http
