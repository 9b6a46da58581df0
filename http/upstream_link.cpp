#include "http/upstream_link.hpp"

#include "http/link_pool.hpp"
#include "http/read_scratch.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include <sys/socket.h>

#include <algorithm>

namespace lang_agent::http {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using asio::ip::tcp;

namespace {

constexpr std::size_t tunnel_read_bytes = 2048;
constexpr std::size_t read_bytes = 16 * 1024;

bool is_address(const std::string& host) {
  boost::system::error_code ec;
  asio::ip::make_address(host, ec);
  return !ec;
}

/// As certificates have it: the dot at the end of "example.com." is for the resolver only.
std::string without_root(std::string host) {
  if (host.size() > 1 && host.back() == '.')
    host.pop_back();
  return host;
}

std::string name_of(const tcp::endpoint& x) {
  return x.address().to_string() + " port " + std::to_string(x.port());
}

} // namespace

upstream_link::upstream_link(std::shared_ptr<link_pool> pool, http::executor home)
    : pool_(std::move(pool)),
      home_(std::move(home)),
      resolver_(home_),
      socket_(home_),
      born_(clock::now()) {
  pool_->links.add(this);
}

upstream_link::~upstream_link() {
  pool_->links.remove(this);
}

// -- connecting ---------------------------------------------------------------------------------

void upstream_link::connect(clock::time_point ends, on_connected done) {
  const auto& options = pool_->options;
  const auto& host = options.proxy ? options.proxy->host : options.url.host;
  const auto port = options.proxy ? options.proxy->port : options.url.port;
  error_code not_an_address;
  const auto address = asio::ip::make_address(host, not_an_address);
  if (!not_an_address)
    connect_to({endpoint{address, port}}, ends, std::move(done));
  else
    resolve(host, std::to_string(port), begin(ends, std::move(done)));
}

void upstream_link::connect_to(std::vector<endpoint> addresses, clock::time_point ends,
                               on_connected done) {
  auto who = begin(ends, std::move(done));
  addresses_ = {addresses.rbegin(), addresses.rend()};
  dial_next("no address", std::move(who));
}

upstream_link::waiter upstream_link::begin(clock::time_point ends, on_connected done) {
  auto who = std::make_shared<on_connected>(std::move(done));
  waiter_ = who;
  ends_ = ends;
  reached_by_ = std::min(clock::now() + pool_->options.connect_timeout, ends_);
  expire_at(reached_by_);
  return who;
}

void upstream_link::resolve(const std::string& host, const std::string& port, waiter who) {
  step_ = step::resolving;
  resolver_.async_resolve(host, port, tcp::resolver::numeric_service,
                          [self = shared_from_this(), who = std::move(who)](
                              const error_code& ec, const tcp::resolver::results_type& found) {
                            if (!*who)
                              return;
                            self->addresses_ = {found.begin(), found.end()};
                            std::reverse(self->addresses_.begin(), self->addresses_.end());
                            self->dial_next("no address: " + ec.message(), who);
                          });
}

/// Each address has an equal share of what is left: one that swallows everything must not keep the
/// others from being tried. `problem` is that of the one before.
void upstream_link::dial_next(const std::string& problem, waiter who) {
  if (addresses_.empty()) {
    finish(who, unreachable(problem));
    return;
  }
  step_ = step::dialling;
  const auto now = clock::now();
  expire_at(now + (reached_by_ - now) / static_cast<int>(addresses_.size()));
  const auto address = addresses_.back();
  addresses_.pop_back();
  error_code ignored;
  socket_.close(ignored);
  socket_.async_connect(
      address, [self = shared_from_this(), address, who = std::move(who)](const error_code& ec) {
        if (*who)
          self->on_dialled(address, ec, who);
      });
}

void upstream_link::on_dialled(const endpoint& address, error_code ec, waiter who) {
  if (!socket_.is_open()) // its share of the time was over
    ec = asio::error::timed_out;
  if (ec) {
    dial_next(name_of(address) + ": " + ec.message(), std::move(who));
    return;
  }
  expire_at(reached_by_);
  error_code ignored;
  socket_.set_option(tcp::no_delay{true}, ignored);
  socket_.non_blocking(true, ignored);
  if (!pool_->options.url.tls)
    finish(who, std::nullopt);
  else if (pool_->options.proxy)
    open_tunnel(std::move(who));
  else
    handshake(std::move(who));
}

void upstream_link::open_tunnel(waiter who) {
  step_ = step::tunnelling;
  auto request =
      std::make_shared<std::string>(connect_request(pool_->options.url, *pool_->options.proxy));
  asio::async_write(socket_, asio::buffer(*request),
                    [self = shared_from_this(), request, who = std::move(who)](const error_code& ec,
                                                                               std::size_t) {
                      if (!*who)
                        return;
                      if (ec)
                        self->finish(who, unreachable("proxy: " + ec.message()));
                      else
                        self->read_tunnel(std::make_shared<connect_answer>(), who);
                    });
}

void upstream_link::read_tunnel(std::shared_ptr<connect_answer> answer, waiter who) {
  socket_.async_read_some(input_.prepare(tunnel_read_bytes),
                          [self = shared_from_this(), answer,
                           who = std::move(who)](const error_code& ec, std::size_t n) {
                            if (!*who)
                              return;
                            if (ec) {
                              self->finish(who, unreachable("proxy: " + ec.message()));
                              return;
                            }
                            self->input_.commit(n);
                            const auto problem = answer->feed(self->input_);
                            if (!problem)
                              self->read_tunnel(answer, who);
                            else if (!problem->empty())
                              self->finish(who, unreachable(*problem));
                            else
                              self->handshake(who);
                          });
}

void upstream_link::handshake(waiter who) {
  step_ = step::securing;
  input_ = {};
  expire_at(std::min(clock::now() + pool_->options.tls_timeout, ends_));
  const auto host = without_root(pool_->options.url.host);
  tls_ = std::make_unique<tls_stream>(std::move(socket_), pool_->tls);
  tls_->set_verify_callback(ssl::host_name_verification{host});
  if (!is_address(host))
    SSL_set_tlsext_host_name(tls_->native_handle(), host.c_str());
  tls_->async_handshake(ssl::stream_base::client,
                        [self = shared_from_this(), who = std::move(who)](const error_code& ec) {
                          if (!*who)
                            return;
                          if (ec)
                            self->finish(who, tls_failed(self->tls_problem(ec)));
                          else
                            self->finish(who, std::nullopt);
                        });
}

std::string upstream_link::tls_problem(const error_code& ec) {
  const auto verdict = SSL_get_verify_result(tls_->native_handle());
  if (verdict == X509_V_OK)
    return ec.message();
  return ec.message() + ": " + X509_verify_cert_error_string(verdict);
}

void upstream_link::connect_deadline_passed(const waiter& who) {
  const auto now = clock::now();
  if (step_ == step::dialling && now < reached_by_) {
    error_code ignored;
    socket_.close(ignored); // its handler goes on with the next address
    return;
  }
  finish(who, too_late(now >= ends_              ? error_kind::upstream_total_timeout
                       : step_ == step::securing ? error_kind::upstream_tls_timeout
                                                 : error_kind::upstream_connect_timeout));
}

void upstream_link::finish(const waiter& who, std::optional<upstream_fault> fault) {
  step_ = step::idle;
  addresses_ = {};
  const auto done = std::move(*who);
  *who = nullptr;
  done(std::move(fault));
}

// -- connected ----------------------------------------------------------------------------------

void upstream_link::write(const std::vector<asio::const_buffer>& data,
                          std::function<void()> progress, on_transferred done) {
  const auto go_on = [progress = std::move(progress)](const error_code& ec, std::size_t n) {
    if (n > 0)
      progress();
    return asio::transfer_all()(ec, n);
  };
  with_stream([&](auto& stream) {
    asio::async_write(stream, data, go_on,
                      [self = shared_from_this(), done = std::move(done)](
                          const error_code& ec, std::size_t n) { done(ec, n); });
  });
}

void upstream_link::read(on_bytes done) {
  tls_ ? read_tls(std::move(done)) : read_plain(std::move(done));
}

/// A stream that waits needs no memory for what may come.
void upstream_link::read_plain(on_bytes done) {
  socket_.async_wait(socket::wait_read,
                     [self = shared_from_this(), done = std::move(done)](error_code ec) mutable {
                       const auto room = read_scratch(read_bytes);
                       const auto n = ec ? 0 : self->socket_.read_some(room, ec);
                       if (ec == asio::error::would_block)
                         self->read_plain(std::move(done));
                       else
                         done(ec, {static_cast<const char*>(room.data()), n});
                     });
}

void upstream_link::read_tls(on_bytes done) {
  if (!tls_input_)
    tls_input_ = std::make_unique_for_overwrite<char[]>(read_bytes);
  tls_->async_read_some(
      asio::buffer(tls_input_.get(), read_bytes),
      [self = shared_from_this(), done = std::move(done)](error_code ec, std::size_t n) {
        // Most servers close TLS without a word; what is missing is seen from the framing.
        if (ec == ssl::error::stream_truncated)
          ec = asio::error::eof;
        done(ec, {self->tls_input_.get(), n});
      });
}

void upstream_link::close() {
  if (const auto who = waiter_.lock())
    *who = nullptr;
  never_expire();
  on_deadline = nullptr;
  resolver_.cancel();
  error_code ignored;
  lowest().close(ignored);
}

bool upstream_link::is_fresh() {
  if (is_expired(clock::now()) || !lowest().is_open())
    return false;
  if (tls_) { // what has left the socket may wait in OpenSSL, or before it
    const auto* ssl = tls_->native_handle();
    if (SSL_has_pending(ssl) || BIO_pending(SSL_get_rbio(ssl)) > 0)
      return false;
  }
  char byte = 0;
  // Readable means closed, or bytes that belong to no answer.
  return ::recv(lowest().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0
         && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void upstream_link::on_expired() {
  // Under the sweep's lock, which our destructor takes: no reference may end here.
  if (auto self = weak_from_this().lock())
    asio::post(home_, [self = std::move(self)] {
      if (!self->is_expired(clock::now()))
        return;
      if (const auto who = self->waiter_.lock(); who && *who)
        self->connect_deadline_passed(who);
      else if (self->on_deadline)
        self->on_deadline();
      else
        self->pool_->drop(self.get());
    });
}

} // namespace lang_agent::http
