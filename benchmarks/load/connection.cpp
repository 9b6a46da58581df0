#include "benchmarks/load/connection.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <netinet/in.h>

#include <algorithm>

namespace lang_agent::load {

namespace beast = boost::beast;
using boost::system::error_code;

connection::connection(connection_context& shared)
    : shared_(shared), transport_(shared.io, shared.tls, shared.host) {}

// -- opening ----------------------------------------------------------------------------------

void connection::open(const asio::ip::tcp::endpoint& to,
                      const std::optional<asio::ip::address>& source, int receive_buffer) {
  auto& socket = transport_.socket();
  error_code ec;
  socket.open(to.protocol(), ec);
  if (!ec && receive_buffer > 0)
    socket.set_option(asio::socket_base::receive_buffer_size{receive_buffer}, ec);
  if (!ec && source) {
    // The port is chosen when it connects: then one port serves many targets.
    using bind_late = asio::detail::socket_option::boolean<IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT>;
    error_code ignored;
    socket.set_option(bind_late{true}, ignored);
    socket.bind({*source, 0}, ec);
  }
  if (!ec)
    socket.non_blocking(true, ec);
  if (ec) {
    // Not at once: whoever opens it does not know it yet.
    shared_.appointments.at(clock::now(), [self = shared_from_this(), ec] {
      if (self->is_opening())
        self->fail_to_open({"connect", ec.message()});
    });
    return;
  }
  socket.async_connect(to, [self = shared_from_this()](const error_code& failed) {
    if (self->is_opening())
      self->on_connected(failed);
  });
}

void connection::on_connected(const error_code& ec) {
  if (ec) {
    fail_to_open({"connect", ec.message(),
                  ec == asio::error::address_in_use || ec.value() == EADDRNOTAVAIL});
    return;
  }
  error_code ignored;
  transport_.socket().set_option(asio::ip::tcp::no_delay{true}, ignored);
  shake_hands();
}

void connection::shake_hands() {
  if (!is_opening())
    return;
  switch (transport_.handshake()) {
  case io::done:
    state_ = state::idle;
    wait_read(); // to hear when the target closes it
    shared_.owner.on_open(*this);
    return;
  case io::wants_read:
    wait(asio::socket_base::wait_read, &connection::shake_hands);
    return;
  case io::wants_write:
    wait(asio::socket_base::wait_write, &connection::shake_hands);
    return;
  case io::closed:
  case io::failed:
    fail_to_open({"tls", transport_.tls_problem()});
  }
}

void connection::fail_to_open(connect_problem why) {
  const auto self = shared_from_this();
  close();
  shared_.owner.on_not_open(*this, why);
}

std::unique_ptr<exchange> connection::close() {
  state_ = state::closed;
  error_code ignored;
  transport_.socket().close(ignored);
  return std::move(work_);
}

// -- sending ----------------------------------------------------------------------------------

void connection::send(std::string request, std::unique_ptr<exchange> work) {
  state_ = state::busy;
  work_ = std::move(work);
  request_ = std::move(request);
  written_ = 0;
  parser_.emplace(static_cast<response_sink&>(*this));
  work_->sent = clock::now();
  write();
}

void connection::write() {
  while (state_ == state::busy && written_ < request_.size()) {
    std::size_t size = 0;
    const auto result = transport_.write(std::string_view{request_}.substr(written_), size);
    written_ += size;
    if (result == io::wants_write || result == io::wants_read) {
      wait(result == io::wants_write ? asio::socket_base::wait_write : asio::socket_base::wait_read,
           &connection::write);
      return;
    }
    if (result != io::done)
      break; // there may be an answer all the same
  }
  request_ = {};
  wait_read();
}

void connection::wait(asio::socket_base::wait_type what, void (connection::*then)()) {
  transport_.socket().async_wait(what, [self = shared_from_this(), then](const error_code& ec) {
    if (!ec)
      (*self.*then)();
  });
}

// -- receiving --------------------------------------------------------------------------------

void connection::wait_read() {
  if (waits_read_ || state_ == state::closed)
    return;
  waits_read_ = true;
  wait(asio::socket_base::wait_read, &connection::on_readable);
}

void connection::on_readable() {
  waits_read_ = false;
  if (state_ == state::busy) {
    read();
  } else if (state_ == state::idle) {
    std::size_t size = 0;
    const auto result = transport_.read(shared_.buffer, size);
    if (result == io::wants_read && size == 0) { // TLS has said something about itself
      wait_read();
      return;
    }
    close();
    shared_.owner.on_closed(*this);
  }
}

void connection::read() {
  const auto self = shared_from_this(); // its owner may drop it
  while (state_ == state::busy) {
    constexpr std::uint64_t reads_per_second = 20;
    const auto rate = work_->reader_rate;
    const auto most =
        rate == 0 ? shared_.buffer.size()
                  : std::clamp<std::size_t>(rate / reads_per_second, 1, shared_.buffer.size());
    std::size_t size = 0;
    const auto result = transport_.read(shared_.buffer.first(most), size);
    now_ = clock::now();
    if (size > 0)
      take({shared_.buffer.data(), size});
    if (state_ != state::busy || result == io::wants_read || result == io::wants_write) {
      if (rate > 0 && size > 0 && state_ == state::busy)
        read_later(size);
      else
        wait_read();
      return;
    }
    if (result != io::done) {
      on_input_end();
      return;
    }
    if (rate > 0) {
      read_later(size);
      return;
    }
  }
}

/// A slow reader comes back when it has digested what it took.
void connection::read_later(std::size_t size) {
  const std::chrono::duration<double> pause{static_cast<double>(size)
                                            / static_cast<double>(work_->reader_rate)};
  shared_.appointments.at(now_ + std::chrono::duration_cast<clock::duration>(pause),
                          [weak = weak_from_this()] {
                            if (const auto self = weak.lock(); self && self->work_)
                              self->read();
                          });
}

void connection::take(std::string_view bytes) {
  if (!rest_.empty()) {
    rest_ += bytes;
    bytes = rest_;
  }
  if (!parse(bytes)) {
    end_exchange(false);
    return;
  }
  rest_ = std::string{bytes};
  if (parser_->is_done())
    end_exchange(true);
}

/// Takes what it can of `bytes`. False: this is no HTTP.
bool connection::parse(std::string_view& bytes) {
  for (;;) {
    beast::error_code ec;
    bytes.remove_prefix(parser_->put(asio::buffer(bytes.data(), bytes.size()), ec));
    if (ec == beast::http::error::need_more)
      return true;
    if (ec)
      return false;
    if (!parser_->is_done() || !parser_->is_interim())
      return true;
    parser_.emplace(static_cast<response_sink&>(*this));
    if (bytes.empty())
      return true;
  }
}

void connection::on_input_end() {
  beast::error_code ec = beast::http::error::end_of_stream;
  if (parser_->got_some())
    parser_->put_eof(ec);
  end_exchange(!ec && parser_->is_done());
}

void connection::end_exchange(bool whole) {
  const bool again = whole && rest_.empty() && parser_->keep_alive() && work_->reader_rate == 0
                     && request_.empty();
  auto ended = std::move(work_);
  parser_.reset();
  if (again)
    state_ = state::idle;
  else
    close();
  rest_ = {};
  shared_.owner.on_end(*this, std::move(ended), whole, now_);
}

void connection::on_head(const response_head& head) {
  work_->reply.begin(head);
}

void connection::on_body(std::string_view piece) {
  const auto chunks = work_->reply.add(piece, shared_.reader);
  if (chunks > 0)
    shared_.owner.on_content(*work_, chunks, now_);
}

} // namespace lang_agent::load
