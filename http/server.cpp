#include "http/server.hpp"

#include "http/connection.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <new>

namespace lang_agent::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

/// Connections above the limit that get an answer (503) instead of waiting in the kernel.
constexpr std::size_t polite_refusals = 256;
/// After an error of accept (no descriptors left, say) or at the hard limit.
constexpr std::chrono::milliseconds accept_pause{100};

} // namespace

class server::impl : public std::enable_shared_from_this<impl> {
public:
  impl(io_threads threads, server_options options, std::shared_ptr<service> handler)
      : threads_(std::move(threads)),
        shared_(std::make_shared<connection_context>(threads_.first(), std::move(options),
                                                     std::move(handler))),
        acceptor_(threads_.first()),
        pause_(acceptor_.get_executor()) {
    bind();
  }

  void start() {
    asio::dispatch(acceptor_.get_executor(), [self = shared_from_this()] { self->accept(); });
  }

  void drain() {
    shared_->draining = true;
    asio::dispatch(acceptor_.get_executor(), [self = shared_from_this()] {
      error_code ignored;
      self->acceptor_.close(ignored);
      self->pause_.cancel();
      self->shared_->connections.drain();
    });
  }

  void close() {
    shared_->closing = true;
    shared_->connections.drain();
  }

  std::uint16_t port() const {
    return acceptor_.local_endpoint().port();
  }

  std::size_t open_connections() const {
    return shared_->connections.size();
  }

private:
  void bind() {
    tcp::resolver resolver{threads_.first()};
    const auto found = resolver.resolve(
        shared_->options.host, std::to_string(shared_->options.port), tcp::resolver::passive);
    // A name like "localhost" has several addresses: IPv4 first, as most clients try it.
    const auto is_v4 = [](const auto& x) { return x.endpoint().address().is_v4(); };
    const auto v4 = std::find_if(found.begin(), found.end(), is_v4);
    const auto endpoint = (v4 != found.end() ? v4 : found.begin())->endpoint();
    acceptor_.open(endpoint.protocol());
    acceptor_.set_option(tcp::acceptor::reuse_address{true});
    acceptor_.bind(endpoint);
    acceptor_.listen(asio::socket_base::max_listen_connections);
  }

  void accept() {
    const auto& list = shared_->connections;
    if (list.size() >= shared_->options.max_connections + polite_refusals) {
      accept_later();
      return;
    }
    turn_ = (turn_ + 1) % threads_.size();
    acceptor_.async_accept(threads_[turn_].get_executor(),
                           [self = shared_from_this()](const error_code& ec, auto socket) {
                             self->on_accept(ec, std::move(socket));
                           });
  }

  void on_accept(const error_code& ec, connection::socket socket) {
    if (!acceptor_.is_open())
      return;
    if (ec) {
      accept_later();
      return;
    }
    try {
      error_code ignored;
      socket.set_option(tcp::no_delay{true}, ignored);
      const bool refused = shared_->served_connections() >= shared_->options.max_connections;
      std::make_shared<connection>(std::move(socket), shared_, refused)->start();
    } catch (const std::bad_alloc&) {
      accept_later(); // the socket is closed; others may fit again soon
      return;
    }
    accept();
  }

  void accept_later() {
    pause_.expires_after(accept_pause);
    pause_.async_wait([self = shared_from_this()](const error_code& ec) {
      if (!ec && self->acceptor_.is_open())
        self->accept();
    });
  }

  io_threads threads_;
  std::size_t turn_ = 0; ///< whose the next connection is
  std::shared_ptr<connection_context> shared_;
  asio::basic_socket_acceptor<tcp, executor> acceptor_;
  asio::steady_timer pause_;
};

server::server(io_threads threads, server_options options, std::shared_ptr<service> handler)
    : impl_(std::make_shared<impl>(std::move(threads), std::move(options), std::move(handler))) {}

server::~server() = default;

void server::start() {
  impl_->start();
}

void server::drain() {
  impl_->drain();
}

void server::close() {
  impl_->close();
}

std::uint16_t server::port() const {
  return impl_->port();
}

std::size_t server::open_connections() const {
  return impl_->open_connections();
}

} // namespace lang_agent::http
