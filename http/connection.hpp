/// One client connection: reads requests, hands them to the service, writes the answers.
///
/// Lives on its own strand; everything below runs there unless said otherwise. One request at a
/// time: what a client pipelines waits in a bounded buffer. A read is always pending while a
/// request is being answered, so that a client that goes away is noticed at once. It ends when
/// either side closes, when a deadline passes, or when the server drains.
#pragma once

#include "http/output_queue.hpp"
#include "http/request_parser.hpp"
#include "http/responder.hpp"
#include "http/server.hpp"
#include "http/watchlist.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lang_agent::http {

/// What all connections of a server share. Outlives them.
struct connection_context {
  connection_context(boost::asio::io_context& io, server_options o, std::shared_ptr<service> s)
      : options(std::move(o)), handler(std::move(s)), connections(io) {}

  server_options options;
  std::shared_ptr<service> handler;
  watchlist connections;
  std::atomic<bool> draining{false};
  std::atomic<std::size_t> refused{0}; ///< open only until their 503 is taken

  std::size_t served_connections() const {
    return connections.size() - refused;
  }
};

class connection final : public watched, public std::enable_shared_from_this<connection> {
public:
  using socket =
      boost::asio::basic_stream_socket<boost::asio::ip::tcp,
                                       boost::asio::strand<boost::asio::io_context::executor_type>>;

  /// Of one request on this connection: calls that name an earlier one do nothing.
  using request_number = std::uint64_t;

  /// `refused`: one too many; it is told so at its first request.
  connection(socket s, std::shared_ptr<connection_context> context, bool refused);
  ~connection() override;

  void start(); ///< from any thread

  // For the responder, from any thread.
  void listen(request_number n, std::shared_ptr<response_listener> listener, std::size_t step);
  void send(request_number n, response x);
  void begin(request_number n, response x);
  void write(request_number n, std::string piece, bool last);
  void abandon(request_number n); ///< its responder is gone

  // watched
  void on_expired() override;
  void on_drain() override;

private:
  enum class phase {
    idle,       ///< between requests
    head,       ///< part of a head has come
    body,       ///< reading a body to serve it
    answering,  ///< the service has the request
    discarding, ///< answered early: getting past the body
    lingering,  ///< closing: the client may still be sending
    closed,
  };

  template <class Function>
  void post(Function f);

  void read();
  void on_read(const boost::system::error_code& ec, std::size_t n);
  void on_eof();
  void process();
  bool parse();
  bool skip_empty_lines();
  void on_head();
  void on_body();
  void reject(const failure& why);
  void answer_early(response x);

  void put_response(const response& x, framing body);
  void put_piece(std::string piece);
  void flush();
  void on_written(const boost::system::error_code& ec, std::size_t n);
  void answer_ended();
  void finish_request();

  void deadline_passed();
  void client_gone();
  void linger();
  void close();

  bool is_current(request_number n) const {
    return n == number_ && phase_ == phase::answering && !answer_complete_;
  }

  socket socket_;
  std::shared_ptr<connection_context> context_;
  phase phase_ = phase::idle;
  bool reading_ = false;
  bool eof_ = false;
  bool keep_alive_ = true;
  const bool refused_;

  std::vector<char> incoming_;      ///< of the read under way: parsing goes on meanwhile
  boost::beast::flat_buffer input_; ///< what has come and is not parsed yet
  std::optional<request_parser> parser_;

  // The request being answered.
  request_number number_ = 0;
  request_head head_;
  bool answer_begun_ = false;
  bool answer_complete_ = false;
  framing framing_ = framing::length;
  std::shared_ptr<response_listener> listener_;
  std::size_t drain_step_ = 0;
  std::size_t drained_ = 0;

  output_queue output_;
  bool writing_ = false;
};

} // namespace lang_agent::http
