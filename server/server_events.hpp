/// What the outside tells a running server: to stop, or to read its config anew.
#pragma once

#include <boost/asio/io_context.hpp>

#include <memory>
#include <string>

namespace lang_agent {

enum class server_event { stop, reload };

/// The first SIGTERM or SIGINT means stop, the second one ends the process at once. SIGHUP means
/// reload, and so does a change of the config file.
class server_events {
public:
  /// `config_file` may be empty.
  server_events(boost::asio::io_context& context, const std::string& config_file);

  /// Blocks. A stop is told before any reload; several reloads are one.
  server_event wait();

  /// As the first SIGTERM. Thread-safe.
  void stop();

private:
  class state;
  std::shared_ptr<state> state_; ///< what still waits for signals holds it, too
};

} // namespace lang_agent
