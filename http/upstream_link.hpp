/// One connection to an upstream, plain or TLS, direct or through a proxy. Private to http/.
#pragma once

#include "http/io_threads.hpp"
#include "http/proxy_tunnel.hpp"
#include "http/upstream_fault.hpp"
#include "http/watchlist.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lang_agent::http {

class link_pool;

/// A socket. Used by one exchange at a time, on the thread of the socket.
class upstream_link final : public watched, public std::enable_shared_from_this<upstream_link> {
public:
  using socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, http::executor>;
  using tls_stream = boost::asio::ssl::stream<socket>;
  using error_code = boost::system::error_code;
  using endpoint = boost::asio::ip::tcp::endpoint;
  using on_connected = std::function<void(std::optional<upstream_fault>)>;
  using on_transferred = std::function<void(const error_code&, std::size_t)>;

  upstream_link(std::shared_ptr<link_pool> pool, http::executor home);
  ~upstream_link() override;

  const http::executor& executor() const {
    return home_;
  }

  /// Makes the connection, until `ends` at the latest: name, addresses in turn, proxy, TLS. `done`
  /// hears of it once, unless the link is closed before.
  void connect(clock::time_point ends, on_connected done);

  /// The same, when the addresses are known.
  void connect_to(std::vector<endpoint> addresses, clock::time_point ends, on_connected done);

  /// `progress` hears of each part that left, before the end.
  void write(const std::vector<boost::asio::const_buffer>& data, std::function<void()> progress,
             on_transferred done);
  /// What has come; the bytes are good during the call only.
  using on_bytes = std::function<void(const error_code&, std::string_view)>;
  void read(on_bytes done);

  /// Ends all that is pending. The link is of no more use.
  void close();

  /// An idle link: whether the upstream has kept it open and silent.
  bool is_fresh();

  /// Since the connection was begun.
  clock::duration age() const {
    return clock::now() - born_;
  }

  /// Who is told, on its thread, that the deadline passed; nobody while it is idle or connecting.
  std::function<void()> on_deadline;

  void on_expired() override;
  void on_drain() override {}

private:
  enum class step { idle, resolving, dialling, tunnelling, securing };

  /// Who waits for the connection; empty once it was told, or the link is closed. Owned by what is
  /// pending: the link must not keep its own user alive.
  using waiter = std::shared_ptr<on_connected>;

  waiter begin(clock::time_point ends, on_connected done);
  void resolve(const std::string& host, const std::string& port, waiter who);
  void dial_next(const std::string& problem, waiter who);
  void on_dialled(const endpoint& address, error_code ec, waiter who);
  void open_tunnel(waiter who);
  void read_tunnel(std::shared_ptr<connect_answer> answer, waiter who);
  void handshake(waiter who);
  std::string tls_problem(const error_code& ec);
  void connect_deadline_passed(const waiter& who);
  void finish(const waiter& who, std::optional<upstream_fault> fault);

  void read_plain(on_bytes done);
  void read_tls(on_bytes done);

  template <class Function>
  void with_stream(Function f) {
    if (tls_)
      f(*tls_);
    else
      f(socket_);
  }

  socket::lowest_layer_type& lowest() {
    return tls_ ? tls_->lowest_layer() : socket_.lowest_layer();
  }

  std::shared_ptr<link_pool> pool_;
  http::executor home_;
  boost::asio::ip::tcp::resolver resolver_;
  socket socket_;
  std::unique_ptr<tls_stream> tls_;   ///< holds the socket once TLS starts
  std::unique_ptr<char[]> tls_input_; ///< of the read under way
  clock::time_point born_;

  // While it is being connected.
  step step_ = step::idle;
  std::weak_ptr<on_connected> waiter_;
  clock::time_point ends_;
  clock::time_point reached_by_;
  std::vector<endpoint> addresses_; ///< not yet tried, the next one at the end
  boost::beast::flat_buffer input_;
};

} // namespace lang_agent::http
