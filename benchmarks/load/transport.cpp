#include "benchmarks/load/transport.hpp"

#include <boost/asio/ip/address.hpp>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <sys/socket.h>

#include <cerrno>
#include <new>
#include <stdexcept>

namespace lang_agent::load {

namespace {

bool is_address(const std::string& host) {
  boost::system::error_code ec;
  asio::ip::make_address(host, ec);
  return !ec;
}

io plain_result(ssize_t returned, io blocked) {
  if (returned > 0)
    return io::done;
  if (returned == 0)
    return io::closed;
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
    return blocked;
  return errno == ECONNRESET || errno == EPIPE ? io::closed : io::failed;
}

} // namespace

tls_context make_tls_context(bool check_certificates, const std::string& ca_file) {
  tls_context out{SSL_CTX_new(TLS_client_method())};
  if (!out)
    throw std::bad_alloc{};
  SSL_CTX_set_verify(out.get(), check_certificates ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (ca_file.empty())
    SSL_CTX_set_default_verify_paths(out.get());
  else if (SSL_CTX_load_verify_file(out.get(), ca_file.c_str()) != 1)
    throw std::runtime_error{"--ca-file " + ca_file + " cannot be used: it must hold PEM"};
  return out;
}

transport::transport(asio::io_context& context, SSL_CTX* tls, const std::string& host)
    : socket_(context) {
  if (!tls)
    return;
  ssl_.reset(SSL_new(tls));
  if (!ssl_)
    throw std::bad_alloc{};
  SSL_set_mode(ssl_.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE
                               | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (host.empty())
    return;
  if (is_address(host)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host.c_str());
  } else {
    SSL_set_tlsext_host_name(ssl_.get(), host.c_str());
    SSL_set1_host(ssl_.get(), host.c_str());
  }
}

io transport::handshake() {
  if (!ssl_)
    return io::done;
  if (SSL_get_fd(ssl_.get()) < 0)
    SSL_set_fd(ssl_.get(), socket_.native_handle());
  ERR_clear_error();
  return result_of(SSL_connect(ssl_.get()));
}

io transport::read(std::span<char> into, std::size_t& size) {
  size = 0;
  if (!ssl_) {
    const auto got = ::recv(socket_.native_handle(), into.data(), into.size(), 0);
    size = got > 0 ? static_cast<std::size_t>(got) : 0;
    // Less than there was room for: the socket is empty, asking again would be in vain.
    return got > 0 && size < into.size() ? io::wants_read : plain_result(got, io::wants_read);
  }
  ERR_clear_error();
  const auto got = SSL_read_ex(ssl_.get(), into.data(), into.size(), &size);
  return result_of(got);
}

io transport::write(std::string_view bytes, std::size_t& size) {
  size = 0;
  if (!ssl_) {
    const auto sent = ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    size = sent > 0 ? static_cast<std::size_t>(sent) : 0;
    return plain_result(sent, io::wants_write);
  }
  ERR_clear_error();
  const auto sent = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &size);
  return result_of(sent);
}

io transport::result_of(int returned) const {
  if (returned > 0)
    return io::done;
  switch (SSL_get_error(ssl_.get(), returned)) {
  case SSL_ERROR_WANT_READ:
    return io::wants_read;
  case SSL_ERROR_WANT_WRITE:
    return io::wants_write;
  case SSL_ERROR_ZERO_RETURN:
    return io::closed;
  case SSL_ERROR_SYSCALL:
    return io::closed;
  default:
    return io::failed;
  }
}

std::string transport::tls_problem() const {
  if (!ssl_)
    return {};
  const auto verified = SSL_get_verify_result(ssl_.get());
  if (verified != X509_V_OK)
    return std::string{"its certificate is not trusted: "}
           + X509_verify_cert_error_string(verified);
  const auto* reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason ? reason : "the connection was closed";
}

} // namespace lang_agent::load
