#include "http/connection.hpp"

#include "http/ids.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <array>
#include <charconv>

namespace lang_agent::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;

namespace {

/// Most requests fit; a body that does not is read in larger pieces.
constexpr std::size_t first_read_bytes = 2048;
constexpr std::size_t body_read_bytes = 64 * 1024;
/// A body up to here is read to its end after an early answer, so that the connection stays usable.
constexpr std::uint64_t max_discarded_body = 64 * 1024;
/// How long a closing connection waits for the client to stop sending.
constexpr std::chrono::seconds linger_time{2};
/// When the server drains, how long a request that has begun to arrive may still take.
constexpr std::chrono::seconds drain_patience{2};

/// Answers one request of a connection. Its death is an answer, too.
class connection_responder final : public responder {
public:
  connection_responder(std::shared_ptr<connection> to, connection::request_number number)
      : to_(std::move(to)), number_(number) {}

  ~connection_responder() override {
    if (!ended_)
      to_->abandon(number_);
  }

  void listen(std::shared_ptr<response_listener> listener, std::size_t drain_step) override {
    to_->listen(number_, std::move(listener), drain_step);
  }

  void send(response x) override {
    ended_ = true;
    to_->send(number_, std::move(x));
  }

  void begin(response x) override {
    to_->begin(number_, std::move(x));
  }

  void write(std::string piece) override {
    to_->write(number_, std::move(piece), false);
  }

  void end(std::string piece) override {
    ended_ = true;
    to_->write(number_, std::move(piece), true);
  }

private:
  std::shared_ptr<connection> to_;
  connection::request_number number_;
  bool ended_ = false;
};

std::string chunk(const std::string& data) {
  std::array<char, 20> size{};
  const auto end = std::to_chars(size.data(), size.data() + size.size(), data.size(), 16).ptr;
  std::string out;
  out.reserve(data.size() + 24);
  out.append(size.data(), end);
  out += "\r\n";
  out += data;
  out += "\r\n";
  return out;
}

} // namespace

connection::connection(socket s, std::shared_ptr<connection_context> context, bool refused)
    : socket_(std::move(s)), context_(std::move(context)), refused_(refused) {
  if (refused_)
    ++context_->refused;
  context_->connections.add(this);
}

connection::~connection() {
  if (refused_)
    --context_->refused;
  context_->connections.remove(this);
}

template <class Function>
void connection::post(Function f) {
  asio::post(socket_.get_executor(),
             [self = shared_from_this(), f = std::move(f)]() mutable { f(*self); });
}

void connection::start() {
  expire_after(context_->options.header_timeout);
  asio::dispatch(socket_.get_executor(), [self = shared_from_this()] { self->read(); });
}

// -- from the responder ---------------------------------------------------------------------------

void connection::listen(request_number n, std::shared_ptr<response_listener> listener,
                        std::size_t step) {
  post([n, step, l = std::move(listener)](connection& self) mutable {
    if (!self.is_current(n) || self.eof_) {
      l->on_gone();
      return;
    }
    self.listener_ = std::move(l);
    self.drain_step_ = step;
  });
}

void connection::send(request_number n, response x) {
  post([n, x = std::move(x)](connection& self) mutable {
    if (!self.is_current(n))
      return;
    self.put_response(x, framing::length);
    self.answer_ended();
  });
}

void connection::begin(request_number n, response x) {
  post([n, x = std::move(x)](connection& self) mutable {
    if (!self.is_current(n))
      return;
    if (!self.head_.is_http_1_1)
      self.keep_alive_ = false;
    self.put_response(x, self.head_.is_http_1_1 ? framing::chunked : framing::until_close);
    self.flush();
  });
}

void connection::write(request_number n, std::string piece, bool last) {
  post([n, last, piece = std::move(piece)](connection& self) mutable {
    if (!self.is_current(n))
      return;
    if (!piece.empty())
      self.put_piece(std::move(piece));
    if (!last) {
      self.flush();
      return;
    }
    if (self.framing_ == framing::chunked)
      self.output_.push("0\r\n\r\n", 0);
    self.answer_ended();
  });
}

void connection::abandon(request_number n) {
  post([n](connection& self) {
    if (!self.is_current(n))
      return;
    // A stream that has begun can only be cut: a client must not take it for complete.
    if (self.answer_begun_ || self.eof_) {
      self.close();
      return;
    }
    self.put_response(error_response(internal_failure()), framing::length);
    self.answer_ended();
  });
}

// -- reading --------------------------------------------------------------------------------------

void connection::read() {
  // What a client sends ahead is bounded: beyond, TCP makes it wait.
  if (reading_ || eof_ || phase_ == phase::closed
      || input_.size() >= context_->options.max_header_bytes + first_read_bytes)
    return;
  reading_ = true;
  incoming_.resize(phase_ == phase::body ? body_read_bytes : first_read_bytes);
  socket_.async_read_some(
      asio::buffer(incoming_),
      [self = shared_from_this()](const error_code& ec, std::size_t n) { self->on_read(ec, n); });
}

void connection::on_read(const error_code& ec, std::size_t n) {
  reading_ = false;
  if (phase_ == phase::closed)
    return;
  if (ec == asio::error::eof) {
    on_eof();
    return;
  }
  if (ec) {
    client_gone();
    close();
    return;
  }
  input_.commit(asio::buffer_copy(input_.prepare(n), asio::buffer(incoming_, n)));
  process();
}

void connection::on_eof() {
  eof_ = true;
  switch (phase_) {
  case phase::answering:
    // Nothing tells a client that closed its sending half from one that left: it counts as gone.
    client_gone();
    return;
  case phase::discarding:
  case phase::lingering:
    phase_ = phase::lingering;
    finish_request();
    return;
  case phase::head:
  case phase::body:
    reject({error_kind::invalid_http, "The request ended before it was complete."});
    return;
  default:
    close();
  }
}

/// Line ends between requests mean nothing (RFC 9112, 2.2). False: there is nothing else.
bool connection::skip_empty_lines() {
  const auto* begin = static_cast<const char*>(input_.data().data());
  std::size_t n = 0;
  while (n < input_.size() && (begin[n] == '\r' || begin[n] == '\n'))
    ++n;
  input_.consume(n);
  return input_.size() > 0;
}

void connection::process() {
  while (phase_ != phase::closed) {
    switch (phase_) {
    case phase::idle:
      if (!skip_empty_lines()) {
        read();
        return;
      }
      phase_ = phase::head;
      head_ = {};
      expire_after(context_->options.header_timeout);
      parser_.emplace(context_->options.max_header_bytes, context_->options.max_body_bytes);
      break;
    case phase::head:
      if (!parse())
        return;
      if (parser_ && parser_->is_header_done())
        on_head();
      break;
    case phase::body:
      if (!parser_->is_done() && !parse())
        return;
      if (phase_ == phase::body && parser_->is_done())
        on_body();
      break;
    case phase::discarding:
      if (!parser_->is_done() && !parse())
        return;
      finish_request();
      if (phase_ == phase::discarding)
        return; // the answer is not written yet
      break;
    case phase::lingering:
      input_.consume(input_.size());
      read();
      return;
    case phase::answering:
      read();
      return;
    case phase::closed:
      return;
    }
  }
}

/// Gives the parser what has come. False: it needs more, or the request was refused.
bool connection::parse() {
  while (true) {
    error_code ec;
    const auto used = parser_->put(input_.data(), ec);
    input_.consume(used);
    if (ec == beast::http::error::need_more) {
      if (used > 0 && input_.size() > 0)
        continue;
      read();
      return false;
    }
    if (ec) {
      if (phase_ == phase::discarding)
        close();
      else
        reject(parse_failure(ec, context_->options.max_header_bytes,
                             context_->options.max_body_bytes));
      return false;
    }
    if (phase_ == phase::head ? parser_->is_header_done() : parser_->is_done())
      return true;
    if (input_.size() == 0) {
      read();
      return false;
    }
  }
}

void connection::on_head() {
  head_ = std::move(parser_->head());
  head_.received = clock::now();
  if (head_.request_id.empty())
    head_.request_id = "req_" + random_id(24);
  ++number_;
  answer_begun_ = answer_complete_ = false;
  framing_ = framing::length;
  keep_alive_ = parser_->keep_alive() && !context_->draining;
  if (const auto why = parser_->check_head()) {
    reject(*why);
    return;
  }
  if (refused_) {
    failure why{error_kind::too_many_connections,
                "The server has too many open connections; please retry."};
    why.retry_after = "1";
    keep_alive_ = false;
    answer_early(error_response(why));
    return;
  }
  if (auto early = context_->handler->admit(head_)) {
    answer_early(std::move(*early));
    return;
  }
  if (parser_->content_length().value_or(0) > context_->options.max_body_bytes) {
    reject(parse_failure(beast::http::error::body_limit, context_->options.max_header_bytes,
                         context_->options.max_body_bytes));
    return;
  }
  phase_ = phase::body;
  expire_after(context_->options.body_timeout);
  if (parser_->expects_continue() && head_.is_http_1_1 && parser_->has_body()
      && input_.size() == 0) {
    output_.push("HTTP/1.1 100 Continue\r\n\r\n", 0);
    flush();
  }
}

void connection::on_body() {
  phase_ = phase::answering;
  never_expire();
  // A stream may stay open for long: it keeps no memory of its request.
  if (!reading_ && incoming_.capacity() > first_read_bytes)
    incoming_ = {};
  if (input_.size() == 0 && input_.capacity() > 2 * first_read_bytes)
    input_.shrink_to_fit();
  request x{head_, parser_->take_body()};
  parser_.reset();
  context_->handler->serve(std::move(x),
                           std::make_unique<connection_responder>(shared_from_this(), number_));
}

/// Answers bytes that are no request; nothing after them can be trusted.
void connection::reject(const failure& why) {
  if (head_.method.empty())
    head_ = std::move(parser_->head());
  if (head_.request_id.empty())
    head_.request_id = "req_" + random_id(24);
  head_.received = clock::now();
  keep_alive_ = false;
  answer_early(error_response(why));
}

/// Answers without the body. A small one is read and dropped; else the connection ends.
void connection::answer_early(response x) {
  const bool small = parser_->is_header_done() && !parser_->chunked()
                     && parser_->content_length().value_or(0) <= max_discarded_body;
  if (!small || (parser_->has_body() && parser_->expects_continue()))
    keep_alive_ = false;
  context_->handler->answered(head_, x.status);
  put_response(x, framing::length);
  answer_complete_ = true;
  parser_->discard_body();
  phase_ = keep_alive_ ? phase::discarding : phase::lingering;
  expire_after(context_->options.write_timeout);
  flush();
}

// -- writing --------------------------------------------------------------------------------------

void connection::put_response(const response& x, framing body) {
  answer_begun_ = true;
  framing_ = body;
  const bool has_body = head_.method != "HEAD" && x.status != 204;
  if (context_->draining)
    keep_alive_ = false;
  auto bytes = render_head(x, head_, body, keep_alive_);
  if (has_body && !x.body.empty())
    bytes += body == framing::chunked ? chunk(x.body) : x.body;
  output_.push(std::move(bytes), x.body.size());
}

void connection::put_piece(std::string piece) {
  const auto payload = piece.size();
  output_.push(framing_ == framing::chunked ? chunk(piece) : std::move(piece), payload);
}

void connection::flush() {
  if (writing_ || output_.empty() || phase_ == phase::closed)
    return;
  writing_ = true;
  if (phase_ == phase::answering)
    expire_after(context_->options.write_timeout);
  socket_.async_write_some(output_.gather(),
                           [self = shared_from_this()](const error_code& ec, std::size_t sent) {
                             self->on_written(ec, sent);
                           });
}

void connection::on_written(const error_code& ec, std::size_t n) {
  writing_ = false;
  if (phase_ == phase::closed)
    return;
  if (ec) {
    client_gone();
    close();
    return;
  }
  drained_ += output_.written(n);
  if (listener_ && drained_ >= drain_step_) {
    listener_->on_drained(drained_);
    drained_ = 0;
  }
  if (!output_.empty()) {
    flush();
    return;
  }
  if (phase_ == phase::answering)
    never_expire();
  if (answer_complete_) {
    finish_request();
    process();
  }
}

void connection::answer_ended() {
  answer_complete_ = true;
  listener_.reset();
  flush();
  if (output_.empty()) {
    finish_request();
    process();
  }
}

/// The answer is written as a whole, or its request is read as a whole, whichever comes later.
void connection::finish_request() {
  if (!answer_complete_ || writing_ || !output_.empty())
    return;
  if (phase_ == phase::lingering || !keep_alive_ || context_->draining) {
    linger();
    return;
  }
  if (parser_ && !parser_->is_done()) {
    expire_after(context_->options.body_timeout);
    return;
  }
  drained_ = 0;
  parser_.reset();
  phase_ = phase::idle;
  if (eof_ && input_.size() == 0) {
    close();
    return;
  }
  expire_after(context_->options.keepalive_timeout);
}

// -- ending ---------------------------------------------------------------------------------------

void connection::on_expired() {
  // Under the sweep's lock, which our destructor takes: no reference may end here.
  if (auto self = weak_from_this().lock())
    asio::post(socket_.get_executor(), [self = std::move(self)] { self->deadline_passed(); });
}

void connection::deadline_passed() {
  if (phase_ == phase::closed || !is_expired(clock::now()))
    return;
  never_expire();
  if (phase_ == phase::head || phase_ == phase::body) {
    reject({error_kind::request_timeout, "The request took too long to arrive."});
    expire_after(linger_time);
    return;
  }
  client_gone();
  close();
}

void connection::on_drain() {
  if (auto self = weak_from_this().lock())
    asio::post(socket_.get_executor(), [self = std::move(self)] {
      if (self->phase_ == phase::idle && self->input_.size() == 0)
        self->close();
      else if (self->phase_ == phase::head || self->phase_ == phase::body)
        self->expire_after(drain_patience);
    });
}

void connection::client_gone() {
  eof_ = true;
  if (const auto listener = std::move(listener_))
    listener->on_gone();
}

/// Closes so that the client can read the answer: a socket closed with unread bytes is reset.
void connection::linger() {
  error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  if (eof_) {
    close();
    return;
  }
  phase_ = phase::lingering;
  expire_after(linger_time);
}

void connection::close() {
  phase_ = phase::closed;
  never_expire();
  error_code ignored;
  socket_.close(ignored);
}

} // namespace lang_agent::http
