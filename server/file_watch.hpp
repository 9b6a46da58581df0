/// Tells when a file is written or replaced. Source: inotify(7).
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>

namespace lang_agent {

/// Watches the file's directory: editors and deployment tools put a new file in the place of the
/// old one, or change a link on the way. Everything runs on the context's thread; it must have
/// stopped before this is destroyed.
class file_watch {
public:
  /// `changed` comes when the file has been at rest for a moment. Where the system has no watches
  /// left, it never comes.
  file_watch(boost::asio::io_context& context, std::filesystem::path file,
             std::function<void()> changed);

private:
  /// What differs between two versions of a file.
  struct stamp {
    std::uint64_t inode = 0;
    std::int64_t modified = 0;
    std::int64_t size = -1; ///< there is no file

    bool operator==(const stamp&) const = default;
  };

  stamp look() const;
  void listen();
  void settle();

  std::filesystem::path file_;
  std::function<void()> changed_;
  stamp known_;
  boost::asio::posix::stream_descriptor events_;
  boost::asio::steady_timer at_rest_;
  std::array<char, 4096> buffer_ = {};
};

} // namespace lang_agent
