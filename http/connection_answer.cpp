/// The answering half of a connection.
#include "http/connection.hpp"

namespace lang_agent::http {

using boost::system::error_code;

namespace {

/// A body up to here is read to its end after an early answer, so that the connection stays usable.
constexpr std::uint64_t max_discarded_body = 64 * 1024;

} // namespace

// -- from the responder ---------------------------------------------------------------------------

void connection::listen(std::shared_ptr<response_listener> listener, std::size_t step,
                        std::chrono::milliseconds silence) {
  listener_ = std::move(listener);
  drain_step_ = step;
  silence_ = silence;
  if (phase_ == phase::answering && !writing_)
    await_more();
}

void connection::read_body() {
  if (phase_ != phase::uploading || eof_ || !listener_)
    return;
  piece_wanted_ = true;
  expire_after(context_->options.body_timeout);
  send_continue();
  process();
}

void connection::send(response x) {
  if (phase_ == phase::uploading) {
    answer_early(std::move(x));
    return;
  }
  put_head(std::move(x), framing::length);
  answer_ended();
}

void connection::begin(response x) {
  if (phase_ == phase::uploading)
    give_up_body();
  if (!head_.is_http_1_1)
    keep_alive_ = false;
  put_head(std::move(x), head_.is_http_1_1 ? framing::chunked : framing::until_close);
  phase_ = phase::answering;
  flush();
}

void connection::write(std::string piece, bool last) {
  output_.put_piece(std::move(piece));
  if (!last) {
    flush();
    return;
  }
  output_.put_end();
  answer_ended();
}

void connection::abandon() {
  // A stream that has begun can only be cut: a client must not take it for complete.
  if (answer_begun_ || eof_)
    close();
  else
    send(error_response(internal_failure()));
}

/// Answers without the body, or what is left of it.
void connection::answer_early(response x) {
  give_up_body();
  put_head(std::move(x), framing::length);
  answer_ended();
}

/// The rest of a body that nobody wants is read and dropped if it is small; else the connection
/// ends.
void connection::give_up_body() {
  if (!reader_.rest_is_within(max_discarded_body) || owes_continue_)
    keep_alive_ = false;
  reader_.discard_body();
  piece_wanted_ = false;
}

// -- writing --------------------------------------------------------------------------------------

void connection::put_head(response x, framing body) {
  answer_begun_ = true;
  if (context_->draining)
    keep_alive_ = false;
  output_.put_head(std::move(x), head_, body, keep_alive_);
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
  if (listener_ && drained_ > 0 && drained_ >= drain_step_) {
    listener_->on_drained(drained_);
    drained_ = 0;
  }
  if (!output_.empty()) {
    flush();
    return;
  }
  if (phase_ == phase::answering)
    await_more();
  if (answer_complete_) {
    finish_request();
    process();
  }
}

/// The client has taken all that there is of its answer: the next move is the service's.
void connection::await_more() {
  if (listener_ && silence_ > std::chrono::milliseconds{0})
    expire_after(silence_);
  else
    never_expire();
}

void connection::tell_silence() {
  await_more();
  if (listener_)
    listener_->on_silence();
}

void connection::answer_ended() {
  answer_complete_ = true;
  listener_.reset();
  if (phase_ != phase::answering || !reader_.is_done()) {
    phase_ = keep_alive_ && !eof_ ? phase::discarding : phase::lingering;
    expire_after(context_->options.write_timeout);
  }
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
  if (!reader_.is_done()) {
    expire_after(context_->options.body_timeout);
    return;
  }
  drained_ = 0;
  reader_.end();
  phase_ = phase::idle;
  if (eof_ && reader_.buffered() == 0) {
    close();
    return;
  }
  expire_after(context_->options.keepalive_timeout);
}

} // namespace lang_agent::http
