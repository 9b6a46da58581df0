#include "http/connection.hpp"

#include "http/connection_responder.hpp"
#include "http/ids.hpp"
#include "http/read_scratch.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/http/error.hpp>

namespace lang_agent::http {

namespace asio = boost::asio;
using boost::system::error_code;
using outcome = request_reader::outcome;

namespace {

/// Most requests fit; a body that does not is read in larger pieces.
constexpr std::size_t first_read_bytes = 2048;
constexpr std::size_t body_read_bytes = 64 * 1024;
/// Of a body that is streamed.
constexpr std::size_t max_piece_bytes = 64 * 1024;
/// How long a closing connection waits for the client to stop sending.
constexpr std::chrono::seconds linger_time{2};
/// When the server drains, how long a request that has begun to arrive may still take.
constexpr std::chrono::seconds drain_patience{2};

} // namespace

connection::connection(socket s, std::shared_ptr<connection_context> context, bool refused)
    : socket_(std::move(s)),
      context_(std::move(context)),
      refused_(refused),
      reader_(context_->options.max_header_bytes, context_->options.max_body_bytes) {
  if (refused_)
    ++context_->refused;
  context_->connections.add(this);
}

connection::~connection() {
  if (refused_)
    --context_->refused;
  context_->connections.remove(this);
}

void connection::start() {
  error_code ignored;
  socket_.non_blocking(true, ignored);
  expire_after(context_->options.header_timeout);
  asio::dispatch(socket_.get_executor(), [self = shared_from_this()] { self->read(); });
}

// -- reading --------------------------------------------------------------------------------------

void connection::read() {
  // What a client sends ahead is bounded: beyond, TCP makes it wait.
  if (reading_ || eof_ || phase_ == phase::closed
      || reader_.buffered() >= context_->options.max_header_bytes + first_read_bytes)
    return;
  reading_ = true;
  // A connection that waits needs no memory for what may come.
  socket_.async_wait(socket::wait_read, [self = shared_from_this()](const error_code&) {
    self->reading_ = false;
    if (self->phase_ != phase::closed)
      self->on_readable();
  });
}

void connection::on_readable() {
  error_code ec;
  const auto room = read_scratch(wanted_bytes());
  const auto n = socket_.read_some(room, ec);
  if (ec == asio::error::would_block) {
    read();
  } else if (ec == asio::error::eof) {
    on_eof();
  } else if (ec) {
    client_gone();
    close();
  } else {
    reader_.append(static_cast<const char*>(room.data()), n);
    process();
  }
}

/// Heads are small; what a client sends ahead of its turn is read slowly.
std::size_t connection::wanted_bytes() {
  return phase_ == phase::body || phase_ == phase::uploading ? body_read_bytes : first_read_bytes;
}

void connection::on_eof() {
  eof_ = true;
  switch (phase_) {
  case phase::uploading:
    never_expire();
    client_gone();
    return;
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

void connection::process() {
  while (advance()) {
  }
}

/// One step through what has come. False: more has to come first, or something else to happen.
bool connection::advance() {
  switch (read_step()) {
  case outcome::incomplete:
    read();
    return false;
  case outcome::malformed:
    on_malformed();
    return false;
  case outcome::complete:
    break;
  }
  const auto before = phase_;
  on_complete();
  return phase_ != phase::closed && (phase_ != before || phase_ == phase::uploading);
}

outcome connection::read_step() {
  switch (phase_) {
  case phase::idle:
    return reader_.skip_empty_lines() ? outcome::complete : outcome::incomplete;
  case phase::head:
    return reader_.read_head();
  case phase::body:
  case phase::discarding:
    return reader_.read_body();
  case phase::uploading:
    return piece_wanted_ ? reader_.read_piece() : outcome::incomplete;
  case phase::answering:
    // A client may send all of its body before it looks at an early answer.
    if (!reader_.is_done())
      skip_rest();
    break;
  case phase::lingering:
    reader_.drop_buffered();
    break;
  case phase::closed:
    break;
  }
  return outcome::incomplete;
}

void connection::on_complete() {
  switch (phase_) {
  case phase::idle:
    begin_request();
    break;
  case phase::head:
    on_head();
    break;
  case phase::body:
    on_body();
    break;
  case phase::uploading:
    on_piece();
    break;
  default:
    finish_request();
  }
}

void connection::on_malformed() {
  if (phase_ == phase::discarding)
    close();
  else if (phase_ == phase::uploading)
    break_upload(reader_.problem());
  else
    reject(reader_.problem());
}

void connection::begin_request() {
  phase_ = phase::head;
  head_ = {};
  owes_continue_ = piece_wanted_ = false;
  expire_after(context_->options.header_timeout);
  reader_.begin();
}

/// Gets past a body while its early answer is being made.
void connection::skip_rest() {
  if (keep_alive_)
    reader_.read_body();
  else
    reader_.drop_buffered();
}

// -- what has been read ---------------------------------------------------------------------------

void connection::on_head() {
  const auto& parser = reader_.parser();
  head_ = std::move(reader_.parser().head());
  head_.received = clock::now();
  if (head_.request_id.empty())
    head_.request_id = "req_" + random_id(24);
  ++number_;
  answer_begun_ = answer_complete_ = false;
  owes_continue_ = parser.expects_continue() && parser.has_body();
  keep_alive_ = parser.keep_alive() && !context_->draining;
  if (const auto why = parser.check_head()) {
    reject(*why);
    return;
  }
  if (refused_) {
    refuse();
    return;
  }
  head_.connection_place = std::move(place_);
  auto early = context_->handler->admit(head_);
  place_ = std::move(head_.connection_place);
  if (early) {
    context_->handler->answered(head_, *early);
    keep_alive_ = keep_alive_ && !early->closes;
    answer_early(std::move(*early));
    return;
  }
  if (head_.streams_body) {
    phase_ = phase::uploading;
    never_expire();
    reader_.stream_body(max_piece_bytes);
    serve({});
    return;
  }
  if (parser.content_length().value_or(0) > context_->options.max_body_bytes) {
    reject(parse_failure(boost::beast::http::error::body_limit, context_->options.max_header_bytes,
                         context_->options.max_body_bytes));
    return;
  }
  phase_ = phase::body;
  expire_after(context_->options.body_timeout);
  send_continue();
}

void connection::send_continue() {
  const bool waits = owes_continue_ && head_.is_http_1_1 && reader_.buffered() == 0;
  owes_continue_ = false;
  if (!waits)
    return;
  output_.put_bytes("HTTP/1.1 100 Continue\r\n\r\n");
  flush();
}

void connection::on_body() {
  auto body = reader_.take_body();
  body_ended();
  serve(std::move(body));
}

void connection::on_piece() {
  auto piece = reader_.take_body();
  const bool last = reader_.is_done();
  piece_wanted_ = false;
  never_expire();
  if (last)
    body_ended();
  listener_->on_body(std::move(piece), last);
}

void connection::body_ended() {
  phase_ = phase::answering;
  await_more();
  reader_.end();
}

void connection::serve(std::string body) {
  context_->handler->serve({head_, std::move(body)},
                           std::make_unique<connection_responder>(shared_from_this(), number_));
}

void connection::refuse() {
  failure why{error_kind::too_many_connections,
              "The server has too many open connections; please retry."};
  why.retry_after = "1";
  keep_alive_ = false;
  answer_without_service(why);
}

/// Answers bytes that are no request; nothing after them can be trusted.
void connection::reject(const failure& why) {
  if (head_.method.empty())
    head_ = std::move(reader_.parser().head());
  if (head_.request_id.empty())
    head_.request_id = "req_" + random_id(24);
  head_.received = clock::now();
  keep_alive_ = false;
  answer_without_service(why);
}

void connection::answer_without_service(const failure& why) {
  auto out = error_response(why);
  context_->handler->answered(head_, out);
  answer_early(std::move(out));
}

/// The service gets no more of the body that it is reading, and cannot answer.
void connection::break_upload(const failure& why) {
  tell_gone();
  keep_alive_ = false;
  answer_early(error_response(why));
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
  if (phase_ == phase::answering && !writing_) {
    tell_silence();
    return;
  }
  const bool uploading = phase_ == phase::uploading;
  if (uploading || phase_ == phase::head || phase_ == phase::body) {
    const failure why{error_kind::request_timeout, "The request took too long to arrive."};
    uploading ? break_upload(why) : reject(why);
    expire_after(linger_time);
    return;
  }
  client_gone();
  close();
}

void connection::on_drain() {
  if (auto self = weak_from_this().lock())
    asio::post(socket_.get_executor(), [self = std::move(self)] {
      if (self->context_->closing) {
        self->client_gone();
        self->close();
        return;
      }
      if (self->phase_ == phase::idle && self->reader_.buffered() == 0)
        self->close();
      else if (self->phase_ == phase::head || self->phase_ == phase::body)
        self->expire_after(drain_patience);
    });
}

/// The service hears nothing more of its request.
void connection::tell_gone() {
  piece_wanted_ = false;
  if (const auto listener = std::move(listener_))
    listener->on_gone();
}

void connection::client_gone() {
  eof_ = true;
  tell_gone();
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
