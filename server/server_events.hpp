/// What the outside tells a running server: to stop, or to read its config anew.
#pragma once

#include "server/file_watch.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>

namespace lang_agent {

enum class server_event { stop, reload };

/// The first SIGTERM or SIGINT means stop, the second one ends the process at once. SIGHUP means
/// reload, and so does a change of the config file.
class server_events {
public:
  /// `config_file` may be empty. The context's thread must have stopped before this is destroyed.
  server_events(boost::asio::io_context& context, const std::string& config_file);

  /// Blocks. A stop is told before any reload; several reloads are one.
  server_event wait();

private:
  void wait_for_stop();
  void wait_for_reload();
  void tell(bool& flag);

  std::mutex mutex_;
  std::condition_variable told_;
  bool stop_ = false;
  bool reload_ = false;
  boost::asio::signal_set stop_signals_;
  boost::asio::signal_set reload_signals_;
  std::optional<file_watch> file_;
};

} // namespace lang_agent
