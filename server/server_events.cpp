#include "server/server_events.hpp"

#include <csignal>
#include <cstdlib>
#include <utility>

namespace lang_agent {

server_events::server_events(boost::asio::io_context& context, const std::string& config_file)
    : stop_signals_(context, SIGTERM, SIGINT), reload_signals_(context, SIGHUP) {
  wait_for_stop();
  wait_for_reload();
  if (!config_file.empty())
    file_.emplace(context, config_file, [this] { tell(reload_); });
}

server_event server_events::wait() {
  std::unique_lock lock{mutex_};
  told_.wait(lock, [this] { return stop_ || reload_; });
  if (stop_)
    return server_event::stop;
  reload_ = false;
  return server_event::reload;
}

void server_events::wait_for_stop() {
  stop_signals_.async_wait([this](const boost::system::error_code& ec, int) {
    if (ec)
      return;
    if (stop_)
      std::_Exit(EXIT_FAILURE);
    tell(stop_);
    wait_for_stop();
  });
}

void server_events::wait_for_reload() {
  reload_signals_.async_wait([this](const boost::system::error_code& ec, int) {
    if (ec)
      return;
    tell(reload_);
    wait_for_reload();
  });
}

void server_events::tell(bool& flag) {
  const std::lock_guard lock{mutex_};
  flag = true;
  told_.notify_one();
}

} // namespace lang_agent
