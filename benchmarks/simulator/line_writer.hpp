/// Writes lines to standard output from a thread of its own: a reader that is slow, or a disk, must
/// not hold up the sockets.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace lang_agent::simulator {

class line_writer {
public:
  line_writer();

  /// Writes what is still there.
  ~line_writer();

  line_writer(const line_writer&) = delete;
  line_writer& operator=(const line_writer&) = delete;

  /// Waits only when far too much is unwritten: no line is ever lost.
  void write(std::string_view line);

private:
  void run();

  std::mutex mutex_;
  std::condition_variable has_lines_;
  std::condition_variable has_room_;
  std::string lines_;
  bool ending_ = false;
  std::thread thread_;
};

} // namespace lang_agent::simulator
