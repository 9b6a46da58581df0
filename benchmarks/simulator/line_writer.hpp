/// Writes lines to standard output from a thread of its own: a reader that is slow, or a disk, must
/// not hold up the sockets.
#pragma once

#include <memory>
#include <string_view>

namespace lang_agent::simulator {

class line_writer {
public:
  line_writer();

  /// Writes what is still there, for a second at most: who should read it may be asleep.
  ~line_writer();

  line_writer(const line_writer&) = delete;
  line_writer& operator=(const line_writer&) = delete;

  /// Waits only when far too much is unwritten: no line is ever lost, until the end.
  void write(std::string_view line);

  /// From now on nobody waits for room. Callable from any thread.
  void end();

private:
  struct shared;
  std::shared_ptr<shared> shared_; ///< with the thread, which may hang in the system
};

} // namespace lang_agent::simulator
