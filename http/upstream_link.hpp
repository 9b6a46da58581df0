/// One connection to an upstream, plain or TLS, and the pool of idle ones. Private to http/.
#pragma once

#include "http/redaction.hpp"
#include "http/upstream.hpp"
#include "http/watchlist.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/strand.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace lang_agent::http {

class link_pool;

/// A socket with a strand of its own. Used by one exchange at a time, on that strand.
class upstream_link final : public watched, public std::enable_shared_from_this<upstream_link> {
public:
  using strand = boost::asio::strand<boost::asio::io_context::executor_type>;
  using socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, strand>;
  using tls_stream = boost::asio::ssl::stream<socket>;
  using on_connected = std::function<void(const boost::system::error_code&)>;
  using on_transferred = std::function<void(const boost::system::error_code&, std::size_t)>;

  upstream_link(std::shared_ptr<link_pool> pool, strand executor);
  ~upstream_link() override;

  const strand& executor() const {
    return strand_;
  }

  /// Resolves the name and tries its addresses in turn; then TLS, where the URL says so.
  void connect(on_connected done);
  void write(const std::vector<boost::asio::const_buffer>& data, on_transferred done);
  void read(boost::asio::mutable_buffer room, on_transferred done);

  /// Ends all that is pending. The link is of no more use.
  void close();

  /// An idle link: whether the upstream has kept it open and silent.
  bool is_fresh();

  /// Who is told, on the strand, that the deadline passed; nobody while it is idle.
  std::function<void()> on_deadline;

  void on_expired() override;
  void on_drain() override {}

private:
  template <class Endpoints>
  void connect_to(const Endpoints& endpoints, on_connected done);
  void handshake(on_connected done);

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
  strand strand_;
  boost::asio::ip::tcp::resolver resolver_;
  socket socket_;
  std::unique_ptr<tls_stream> tls_; ///< holds the socket once TLS starts
  bool closed_ = false;
};

/// What the links of an upstream share, and those that wait for the next exchange. Thread-safe.
class link_pool : public std::enable_shared_from_this<link_pool> {
public:
  link_pool(boost::asio::io_context& context, upstream_options options);

  /// An idle link that is still good; else null.
  std::shared_ptr<upstream_link> reuse();

  /// A new link, not connected.
  std::shared_ptr<upstream_link> make(upstream_link::strand executor);

  /// Keeps a link for the next exchange.
  void keep(std::shared_ptr<upstream_link> link);

  /// Lets go of all idle links, and of those that come back later: they hold the pool.
  void close();

  /// Drops an idle link whose time is over.
  void drop(const upstream_link* link);

  const upstream_options options;
  boost::asio::io_context& context;
  boost::asio::ssl::context tls;
  watchlist links;
  const redaction secrets; ///< what clients must not see

private:
  std::mutex mutex_;
  bool closed_ = false;
  std::vector<std::shared_ptr<upstream_link>> idle_; ///< the last used at the end
};

} // namespace lang_agent::http
