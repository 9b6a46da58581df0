/// One connection from the simulator's side, with or without TLS. A read is pending all the time,
/// so that a client that leaves is noticed whatever else goes on.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace lang_agent::simulator {

namespace asio = boost::asio;

class client {
public:
  /// `tls` may be null. All coroutines of a client run on the socket's executor, one at a time.
  client(asio::ip::tcp::socket socket, asio::ssl::context* tls);

  /// Closes when there is none.
  asio::awaitable<void> handshake();

  /// In the place of a handshake: words that no TLS client understands.
  asio::awaitable<void> spoil_handshake();

  /// Reads until the client closes. To be run beside all others.
  asio::awaitable<void> watch();

  /// Whether the connection is at its end, whoever ended it.
  bool gone() const {
    return gone_;
  }

  /// What has come and was not taken.
  std::string_view unread() const {
    return unread_;
  }
  void take(std::size_t bytes);

  /// The rest return at once when the connection is at its end; see `gone`.
  asio::awaitable<void> more_input();
  asio::awaitable<void> pause_until(std::chrono::steady_clock::time_point t);
  asio::awaitable<void> send(std::string_view bytes);

  /// Until the client closes.
  asio::awaitable<void> silence();

  /// Waits until the kernel has delivered what was sent: closing must not take it away.
  asio::awaitable<void> deliver();

  void close();

  /// Ends the connection with RST.
  void reset();

private:
  void end();

  asio::ip::tcp::socket socket_;
  std::optional<asio::ssl::stream<asio::ip::tcp::socket&>> tls_;
  asio::steady_timer wakeup_; ///< of whoever waits for time or input
  asio::steady_timer room_;   ///< of the reader
  std::string piece_;
  std::string unread_;
  bool gone_ = false;
};

} // namespace lang_agent::simulator
