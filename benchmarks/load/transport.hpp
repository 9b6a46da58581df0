/// Bytes to and from a target, with or without TLS, on a socket that never blocks. Nothing is kept
/// for a connection that waits: with ten thousand of them that is what counts.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <openssl/ssl.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace lang_agent::load {

namespace asio = boost::asio;

/// No `any_io_executor`: a third less memory and time for each wait.
using tcp_socket = asio::basic_stream_socket<asio::ip::tcp, asio::io_context::executor_type>;

struct free_tls_context {
  void operator()(SSL_CTX* x) const {
    SSL_CTX_free(x);
  }
};
using tls_context = std::unique_ptr<SSL_CTX, free_tls_context>;

/// `ca_file`: PEM of the authorities to trust; empty: the system's. Throws std::runtime_error when
/// it is of no use.
tls_context make_tls_context(bool check_certificates, const std::string& ca_file);

/// How a step ended.
enum class io : std::uint8_t {
  done,
  wants_read, ///< again when the socket can be read
  wants_write,
  closed, ///< the other side ended the connection
  failed
};

class transport {
public:
  /// `tls` null: none. `host` is what the certificate has to be for; empty: any.
  transport(asio::io_context& context, SSL_CTX* tls, const std::string& host);

  tcp_socket& socket() {
    return socket_;
  }

  /// After the socket is connected. Without TLS done at once.
  io handshake();

  /// As much as there is. `size` is how much came, also with other results than `done`.
  io read(std::span<char> into, std::size_t& size);

  /// `size` is how much was taken.
  io write(std::string_view bytes, std::size_t& size);

  /// Why the handshake failed, for people.
  std::string tls_problem() const;

private:
  struct free_ssl {
    void operator()(SSL* x) const {
      SSL_free(x);
    }
  };

  io result_of(int returned) const;

  tcp_socket socket_;
  std::unique_ptr<SSL, free_ssl> ssl_;
};

} // namespace lang_agent::load
