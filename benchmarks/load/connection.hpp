/// One HTTP/1.1 connection to a target: carries one exchange at a time, and is used again.
#pragma once

#include "benchmarks/load/agenda.hpp"
#include "benchmarks/load/exchange.hpp"
#include "benchmarks/load/response_parser.hpp"
#include "benchmarks/load/transport.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace lang_agent::load {

class connection;

/// Why there is no connection.
struct connect_problem {
  std::string kind; ///< "connect", "tls", "connect_timeout"
  std::string text; ///< for people
  bool no_port_left = false;
};

/// Hears of its connections.
class connection_owner {
public:
  virtual void on_open(connection& from) = 0;
  virtual void on_not_open(connection& from, const connect_problem& why) = 0;
  /// `chunks` with content have come.
  virtual void on_content(exchange& about, std::uint32_t chunks, time_point now) = 0;
  /// `whole`: the response was complete as HTTP goes. The connection is idle, or closed.
  virtual void on_end(connection& from, std::unique_ptr<exchange> ended, bool whole,
                      time_point now) = 0;
  /// The target closed an idle connection.
  virtual void on_closed(connection& from) = 0;

protected:
  ~connection_owner() = default;
};

/// What all connections of a run share.
struct connection_context {
  asio::io_context& io;
  agenda& appointments;
  chunk_reader& reader;
  connection_owner& owner;
  std::span<char> buffer; ///< to read into; nothing stays there
  SSL_CTX* tls = nullptr;
  std::string host = {}; ///< that a certificate has to be for; empty: not checked
};

class connection final : public std::enable_shared_from_this<connection>, private response_sink {
public:
  explicit connection(connection_context& shared);

  /// `source`: the address to come from. A `receive_buffer` in bytes: the kernel takes no more.
  void open(const asio::ip::tcp::endpoint& to, const std::optional<asio::ip::address>& source = {},
            int receive_buffer = 0);

  /// Writes `request`; the connection has to be idle.
  void send(std::string request, std::unique_ptr<exchange> work);

  /// Closes it, whatever goes on; gives back what it carried.
  std::unique_ptr<exchange> close();

  bool is_open() const {
    return state_ == state::idle || state_ == state::busy;
  }
  bool is_opening() const {
    return state_ == state::opening;
  }

  /// What it carries; null: nothing.
  const exchange* work() const {
    return work_.get();
  }

private:
  enum class state : std::uint8_t { opening, idle, busy, closed };

  void on_connected(const boost::system::error_code& ec);
  void shake_hands();
  void fail_to_open(connect_problem why);
  void write();
  void wait(asio::socket_base::wait_type what, void (connection::*then)());
  void wait_read();
  void on_readable();
  void read();
  void read_later(std::size_t size);
  void take(std::string_view bytes);
  bool parse(std::string_view& bytes);
  void on_input_end();
  void end_exchange(bool whole);

  void on_head(const response_head& head) override;
  void on_body(std::string_view piece) override;

  connection_context& shared_;
  transport transport_;
  state state_ = state::opening;
  bool waits_read_ = false;
  std::size_t written_ = 0;
  std::string request_;
  std::string rest_; ///< of the input, to be parsed with what comes next
  std::optional<response_parser> parser_;
  std::unique_ptr<exchange> work_;
  time_point now_ = {}; ///< of the input that is being read
};

} // namespace lang_agent::load
