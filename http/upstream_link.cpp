#include "http/upstream_link.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <array>

namespace lang_agent::http {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

/// Idle links above this number are closed instead of kept.
constexpr std::size_t max_idle_links = 256;

/// What clients must not see.
redaction secrets_of(const upstream_options& x) {
  auto out = x.api_keys;
  out.insert(out.end(), {x.url.authority, x.url.host});
  for (const auto& [name, value] : x.headers)
    out.push_back(value);
  if (x.proxy)
    out.insert(out.end(), {x.proxy->host, x.proxy->credentials});
  return redaction{std::move(out)};
}

bool is_address(const std::string& host) {
  error_code ec;
  asio::ip::make_address(host, ec);
  return !ec;
}

} // namespace

upstream_link::upstream_link(std::shared_ptr<link_pool> pool, strand executor)
    : pool_(std::move(pool)), strand_(std::move(executor)), resolver_(strand_), socket_(strand_) {
  pool_->links.add(this);
}

upstream_link::~upstream_link() {
  pool_->links.remove(this);
}

void upstream_link::connect(on_connected done) {
  const auto& url = pool_->options.url;
  error_code not_an_address;
  const auto address = asio::ip::make_address(url.host, not_an_address);
  if (!not_an_address) {
    connect_to(std::array{tcp::endpoint{address, url.port}}, std::move(done));
    return;
  }
  resolver_.async_resolve(
      url.host, std::to_string(url.port),
      [self = shared_from_this(), done = std::move(done)](
          const error_code& ec, const tcp::resolver::results_type& found) mutable {
        if (ec)
          done(ec);
        else
          self->connect_to(found, std::move(done));
      });
}

template <class Endpoints>
void upstream_link::connect_to(const Endpoints& endpoints, on_connected done) {
  // Connecting would open a socket that was closed while the name was looked up.
  if (closed_) {
    done(asio::error::operation_aborted);
    return;
  }
  asio::async_connect(socket_, endpoints,
                      [self = shared_from_this(),
                       done = std::move(done)](const error_code& ec, const tcp::endpoint&) mutable {
                        if (ec || self->closed_) {
                          done(ec ? ec : asio::error::operation_aborted);
                          return;
                        }
                        error_code ignored;
                        self->socket_.set_option(tcp::no_delay{true}, ignored);
                        self->handshake(std::move(done));
                      });
}

void upstream_link::handshake(on_connected done) {
  const auto& url = pool_->options.url;
  if (!url.tls) {
    done({});
    return;
  }
  tls_ = std::make_unique<tls_stream>(std::move(socket_), pool_->tls);
  tls_->set_verify_mode(ssl::verify_peer);
  tls_->set_verify_callback(ssl::host_name_verification{url.host});
  if (!is_address(url.host))
    SSL_set_tlsext_host_name(tls_->native_handle(), url.host.c_str());
  tls_->async_handshake(
      ssl::stream_base::client,
      [self = shared_from_this(), done = std::move(done)](const error_code& ec) { done(ec); });
}

void upstream_link::write(const std::vector<asio::const_buffer>& data, on_transferred done) {
  with_stream([&](auto& stream) {
    asio::async_write(stream, data,
                      [self = shared_from_this(), done = std::move(done)](
                          const error_code& ec, std::size_t n) { done(ec, n); });
  });
}

void upstream_link::read(asio::mutable_buffer room, on_transferred done) {
  with_stream([&](auto& stream) {
    stream.async_read_some(
        room, [self = shared_from_this(), done = std::move(done)](error_code ec, std::size_t n) {
          // Most servers close TLS without a word; what is missing is seen from the framing.
          if (ec == ssl::error::stream_truncated)
            ec = asio::error::eof;
          done(ec, n);
        });
  });
}

void upstream_link::close() {
  closed_ = true;
  never_expire();
  on_deadline = nullptr;
  resolver_.cancel();
  error_code ignored;
  lowest().close(ignored);
}

bool upstream_link::is_fresh() {
  if (is_expired(clock::now()) || !lowest().is_open())
    return false;
  char byte = 0;
  // Readable means closed, or bytes that belong to no answer.
  return ::recv(lowest().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0
         && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void upstream_link::on_expired() {
  // Under the sweep's lock, which our destructor takes: no reference may end here.
  if (auto self = weak_from_this().lock())
    asio::post(strand_, [self = std::move(self)] {
      if (!self->is_expired(clock::now()))
        return;
      if (self->on_deadline)
        self->on_deadline();
      else
        self->pool_->drop(self.get());
    });
}

link_pool::link_pool(asio::io_context& io, upstream_options o)
    : options(std::move(o)),
      context(io),
      tls(ssl::context::tls_client),
      links(io),
      secrets(secrets_of(options)) {
  if (options.url.tls)
    tls.set_default_verify_paths();
}

std::shared_ptr<upstream_link> link_pool::reuse() {
  while (true) {
    std::shared_ptr<upstream_link> link;
    {
      const std::lock_guard lock{mutex_};
      if (idle_.empty())
        return nullptr;
      link = std::move(idle_.back());
      idle_.pop_back();
    }
    if (link->is_fresh())
      return link;
  }
}

std::shared_ptr<upstream_link> link_pool::make(upstream_link::strand executor) {
  return std::make_shared<upstream_link>(shared_from_this(), std::move(executor));
}

void link_pool::keep(std::shared_ptr<upstream_link> link) {
  link->on_deadline = nullptr;
  link->expire_after(options.idle_connection_timeout);
  const std::lock_guard lock{mutex_};
  if (!closed_ && idle_.size() < max_idle_links)
    idle_.push_back(std::move(link));
}

void link_pool::close() {
  std::vector<std::shared_ptr<upstream_link>> dropped; // ends without the lock
  const std::lock_guard lock{mutex_};
  closed_ = true;
  dropped.swap(idle_);
}

void link_pool::drop(const upstream_link* link) {
  const std::lock_guard lock{mutex_};
  const auto found =
      std::find_if(idle_.begin(), idle_.end(), [&](const auto& x) { return x.get() == link; });
  if (found != idle_.end())
    idle_.erase(found);
}

} // namespace lang_agent::http
