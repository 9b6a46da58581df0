/// What the links of an upstream share, and those that wait for the next exchange. Private to
/// http/.
#pragma once

#include "http/redaction.hpp"
#include "http/upstream.hpp"
#include "http/upstream_link.hpp"
#include "http/watchlist.hpp"

#include <memory>
#include <mutex>
#include <vector>

namespace lang_agent::http {

/// Thread-safe.
class link_pool : public std::enable_shared_from_this<link_pool> {
public:
  /// Throws std::runtime_error when a file of the options is of no use.
  link_pool(io_threads threads, upstream_options options);

  /// An idle link that is still good, of the running thread if there is one; else null.
  std::shared_ptr<upstream_link> reuse();

  /// A new link on that thread, not connected.
  std::shared_ptr<upstream_link> make(http::executor home);

  /// Keeps a link for the next exchange, unless it is too old for one.
  void keep(std::shared_ptr<upstream_link> link);

  /// Lets go of all idle links, and of those that come back later: they hold the pool.
  void close();

  /// Drops an idle link whose time is over.
  void drop(const upstream_link* link);

  const upstream_options options;
  const io_threads threads;
  boost::asio::ssl::context tls;
  watchlist links;
  const redaction secrets; ///< what clients must not see

private:
  std::shared_ptr<upstream_link> take_idle();

  std::mutex mutex_;
  bool closed_ = false;
  std::vector<std::shared_ptr<upstream_link>> idle_; ///< the last used at the end
};

} // namespace lang_agent::http
