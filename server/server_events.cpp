#include "server/server_events.hpp"

#include "server/file_watch.hpp"

#include <boost/asio/signal_set.hpp>

#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <mutex>

namespace lang_agent {

class server_events::state : public std::enable_shared_from_this<state> {
public:
  explicit state(boost::asio::io_context& context)
      : stop_signals_(context, SIGTERM, SIGINT), reload_signals_(context, SIGHUP) {}

  void listen(boost::asio::io_context& context, const std::string& config_file) {
    wait_for_stop();
    wait_for_reload();
    if (!config_file.empty())
      watch_file(context, config_file, [weak = weak_from_this()] {
        if (const auto self = weak.lock())
          self->tell(self->reload_);
      });
  }

  server_event wait() {
    std::unique_lock lock{mutex_};
    told_.wait(lock, [this] { return stop_ || reload_; });
    if (stop_)
      return server_event::stop;
    reload_ = false;
    return server_event::reload;
  }

  void stop() {
    tell(stop_);
  }

private:
  void wait_for_stop() {
    stop_signals_.async_wait([self = shared_from_this()](const boost::system::error_code& ec, int) {
      if (ec)
        return;
      if (std::exchange(self->signalled_, true))
        std::_Exit(EXIT_FAILURE);
      self->stop();
      self->wait_for_stop();
    });
  }

  void wait_for_reload() {
    reload_signals_.async_wait(
        [self = shared_from_this()](const boost::system::error_code& ec, int) {
          if (ec)
            return;
          self->tell(self->reload_);
          self->wait_for_reload();
        });
  }

  void tell(bool& flag) {
    const std::lock_guard lock{mutex_};
    flag = true;
    told_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable told_;
  bool stop_ = false;
  bool reload_ = false;
  bool signalled_ = false; ///< the context's thread only
  boost::asio::signal_set stop_signals_;
  boost::asio::signal_set reload_signals_;
};

server_events::server_events(boost::asio::io_context& context, const std::string& config_file)
    : state_(std::make_shared<state>(context)) {
  state_->listen(context, config_file);
}

server_event server_events::wait() {
  return state_->wait();
}

void server_events::stop() {
  state_->stop();
}

} // namespace lang_agent
