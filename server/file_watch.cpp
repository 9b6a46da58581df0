#include "server/file_watch.hpp"

#include <spdlog/spdlog.h>

#include <sys/inotify.h>
#include <sys/stat.h>

#include <boost/asio/buffer.hpp>

#include <utility>

namespace lang_agent {

namespace {

/// Tools write a file in several steps.
constexpr std::chrono::milliseconds rest{100};

constexpr std::uint32_t what_changes = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE;

} // namespace

file_watch::file_watch(boost::asio::io_context& context, std::filesystem::path file,
                       std::function<void()> changed)
    : file_(std::move(file)),
      changed_(std::move(changed)),
      known_(look()),
      events_(context),
      at_rest_(context) {
  const int queue = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  const auto folder = file_.has_parent_path() ? file_.parent_path() : ".";
  if (queue < 0 || inotify_add_watch(queue, folder.c_str(), what_changes) < 0) {
    if (queue >= 0)
      close(queue);
    spdlog::warn("config file is not watched file={} hint=\"send SIGHUP after a change\"",
                 file_.string());
    return;
  }
  events_.assign(queue);
  listen();
}

file_watch::stamp file_watch::look() const {
  struct stat x = {};
  if (stat(file_.c_str(), &x) != 0)
    return {};
  constexpr std::int64_t second = 1'000'000'000;
  return {x.st_ino, x.st_mtim.tv_sec * second + x.st_mtim.tv_nsec, x.st_size};
}

/// Which file of the directory it was is not looked at: with links on the way it may be another.
void file_watch::listen() {
  events_.async_read_some(boost::asio::buffer(buffer_),
                          [this](const boost::system::error_code& ec, std::size_t) {
                            if (ec)
                              return;
                            settle();
                            listen();
                          });
}

void file_watch::settle() {
  at_rest_.expires_after(rest);
  at_rest_.async_wait([this](const boost::system::error_code& ec) {
    if (ec)
      return;
    const auto now = look();
    if (now.size >= 0 && std::exchange(known_, now) != now)
      changed_();
  });
}

} // namespace lang_agent
