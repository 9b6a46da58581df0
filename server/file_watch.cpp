#include "server/file_watch.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <spdlog/spdlog.h>

#include <sys/inotify.h>
#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <memory>
#include <utility>

namespace lang_agent {

namespace {

/// Tools write a file in several steps.
constexpr std::chrono::milliseconds rest{100};

constexpr std::uint32_t what_changes = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE;

/// What differs between two versions of a file.
struct file_stamp {
  std::uint64_t inode = 0;
  std::int64_t modified = 0;
  std::int64_t size = -1; ///< there is no file

  bool operator==(const file_stamp&) const = default;
};

file_stamp look_at(const std::filesystem::path& file) {
  struct stat x = {};
  if (stat(file.c_str(), &x) != 0)
    return {};
  constexpr std::int64_t second = 1'000'000'000;
  return {x.st_ino, x.st_mtim.tv_sec * second + x.st_mtim.tv_nsec, x.st_size};
}

class file_watch : public std::enable_shared_from_this<file_watch> {
public:
  file_watch(boost::asio::io_context& context, std::filesystem::path file,
             std::function<void()> changed)
      : file_(std::move(file)),
        changed_(std::move(changed)),
        known_(look_at(file_)),
        events_(context),
        at_rest_(context) {}

  void start() {
    const int queue = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    const auto folder = file_.has_parent_path() ? file_.parent_path() : ".";
    if (queue >= 0)
      events_.assign(queue);
    if (queue < 0 || inotify_add_watch(queue, folder.c_str(), what_changes) < 0) {
      spdlog::warn("config file is not watched file={} hint=\"send SIGHUP after a change\"",
                   file_.string());
      return;
    }
    listen();
  }

private:
  /// Which file of the directory it was is not looked at: with links on the way it may be another.
  void listen() {
    events_.async_read_some(
        boost::asio::buffer(buffer_),
        [self = shared_from_this()](const boost::system::error_code& ec, std::size_t) {
          if (ec)
            return;
          self->settle();
          self->listen();
        });
  }

  void settle() {
    at_rest_.expires_after(rest);
    at_rest_.async_wait([self = shared_from_this()](const boost::system::error_code& ec) {
      if (ec)
        return;
      const auto now = look_at(self->file_);
      if (now.size >= 0 && std::exchange(self->known_, now) != now)
        self->changed_();
    });
  }

  std::filesystem::path file_;
  std::function<void()> changed_;
  file_stamp known_;
  boost::asio::posix::stream_descriptor events_;
  boost::asio::steady_timer at_rest_;
  std::array<char, 4096> buffer_ = {};
};

} // namespace

void watch_file(boost::asio::io_context& context, std::filesystem::path file,
                std::function<void()> changed) {
  std::make_shared<file_watch>(context, std::move(file), std::move(changed))->start();
}

} // namespace lang_agent
