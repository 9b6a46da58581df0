/// The HTTP server: listens, accepts, limits, drains. Connections are dealt out to the threads in
/// turn.
#pragma once

#include "http/io_threads.hpp"
#include "http/responder.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace lang_agent::http {

struct server_options {
  std::string host;
  std::uint16_t port = 0; ///< 0: any free one
  std::size_t max_connections = 10'000;
  std::size_t max_header_bytes = 64 * 1024;
  std::size_t max_body_bytes = 32 * 1024 * 1024;
  std::chrono::milliseconds header_timeout{15'000};
  std::chrono::milliseconds body_timeout{120'000};
  std::chrono::milliseconds write_timeout{60'000};
  std::chrono::milliseconds keepalive_timeout{75'000};
};

class server {
public:
  /// Binds at once; throws `boost::system::system_error` when it cannot. The handler lives as long
  /// as any connection.
  server(io_threads threads, server_options options, std::shared_ptr<service> handler);
  ~server();

  server(const server&) = delete;
  server& operator=(const server&) = delete;

  /// Starts to accept.
  void start();

  /// Stops accepting; closes idle connections at once and all others after their answer.
  void drain();

  /// Closes all connections, whatever they are at; their requests hear that their client has gone.
  void close();

  std::uint16_t port() const;

  /// Connections that are open now.
  std::size_t open_connections() const;

private:
  class impl;
  std::shared_ptr<impl> impl_;
};

} // namespace lang_agent::http
