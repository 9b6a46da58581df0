/// One client connection: reads requests, hands them to the service, writes the answers.
///
/// Lives on the thread of its socket; everything below runs there unless said otherwise. One
/// request at a time: what a client pipelines waits in a bounded buffer. A read is always pending
/// while a request is being answered, so that a client that goes away is noticed at once. It ends
/// when either side closes, when a deadline passes, or when the server drains.
#pragma once

#include "http/io_threads.hpp"
#include "http/output_queue.hpp"
#include "http/request_reader.hpp"
#include "http/responder.hpp"
#include "http/server.hpp"
#include "http/watchlist.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

namespace lang_agent::http {

/// What all connections of a server share. Outlives them.
struct connection_context {
  connection_context(boost::asio::io_context& io, server_options o, std::shared_ptr<service> s)
      : options(std::move(o)), handler(std::move(s)), connections(io) {}

  server_options options;
  std::shared_ptr<service> handler;
  watchlist connections;
  std::atomic<bool> draining{false};
  std::atomic<bool> closing{false};    ///< nothing is waited for any more
  std::atomic<std::size_t> refused{0}; ///< open only until their 503 is taken

  std::size_t served_connections() const {
    return connections.size() - refused;
  }
};

class connection final : public watched, public std::enable_shared_from_this<connection> {
public:
  using socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, http::executor>;

  /// Of one request on this connection: calls that name an earlier one do nothing.
  using request_number = std::uint64_t;

  /// `refused`: one too many; it is told so at its first request.
  connection(socket s, std::shared_ptr<connection_context> context, bool refused);
  ~connection() override;

  void start();                      ///< from any thread
  socket::executor_type executor() { ///< from any thread
    return socket_.get_executor();
  }

  // For the responder of a request, while it is current.
  bool is_current(request_number n) const {
    return n == number_ && !answer_complete_
           && (phase_ == phase::answering || phase_ == phase::uploading);
  }
  bool client_has_gone() const {
    return eof_;
  }
  void listen(std::shared_ptr<response_listener> listener, std::size_t step,
              std::chrono::milliseconds silence);
  void read_body();
  void send(response x);
  void begin(response x);
  void write(std::string piece, bool last);
  void abandon(); ///< its responder is gone

  // watched
  void on_expired() override;
  void on_drain() override;

private:
  enum class phase {
    idle,       ///< between requests
    head,       ///< part of a head has come
    body,       ///< reading a body to serve it
    uploading,  ///< the service has the request and asks for its body in pieces
    answering,  ///< the service has the request, and all of its body that it wants
    discarding, ///< answered early: getting past the body
    lingering,  ///< closing: the client may still be sending
    closed,
  };

  void read();
  void on_readable();
  std::size_t wanted_bytes();
  void on_eof();

  void process();
  bool advance();
  request_reader::outcome read_step();
  void on_complete();
  void on_malformed();
  void skip_rest();

  void begin_request();
  void on_head();
  void send_continue();
  void on_body();
  void on_piece();
  void body_ended();
  void serve(std::string body);
  void refuse();
  void reject(const failure& why);
  void break_upload(const failure& why);
  void answer_early(response x);
  void answer_without_service(const failure& why);
  void give_up_body();

  void put_head(response x, framing body);
  void flush();
  void on_written(const boost::system::error_code& ec, std::size_t n);
  void await_more();
  void tell_silence();
  void answer_ended();
  void finish_request();

  void deadline_passed();
  void tell_gone();
  void client_gone();
  void linger();
  void close();

  socket socket_;
  std::shared_ptr<connection_context> context_;
  phase phase_ = phase::idle;
  bool reading_ = false;
  bool eof_ = false;
  bool keep_alive_ = true;
  const bool refused_;
  std::shared_ptr<void> place_; ///< see `request_head::connection_place`

  request_reader reader_;

  // The request being answered.
  request_number number_ = 0;
  request_head head_;
  bool owes_continue_ = false; ///< the client waits for our word before it sends its body
  bool piece_wanted_ = false;  ///< of a body that is streamed
  bool answer_begun_ = false;
  bool answer_complete_ = false;
  std::shared_ptr<response_listener> listener_;
  std::size_t drain_step_ = 0;
  std::size_t drained_ = 0;
  std::chrono::milliseconds silence_{0}; ///< that the listener hears of; 0 = none

  output_queue output_;
  bool writing_ = false;
};

} // namespace lang_agent::http
