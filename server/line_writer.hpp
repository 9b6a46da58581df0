/// Writes lines to a descriptor from a thread of its own: a reader that is slow, or a disk, must
/// not hold up the sockets. Lines that come close together leave in one write.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

namespace lang_agent {

class line_writer {
public:
  /// What happens to a line when far too much is unwritten.
  enum class when_full {
    wait, ///< its writer waits: no line is lost
    lose, ///< it is lost; how many are is told in their place
  };

  line_writer(int descriptor, std::size_t most_unwritten, when_full policy);

  /// Writes what is still there, for a second at most: who should read it may be asleep.
  ~line_writer();

  line_writer(const line_writer&) = delete;
  line_writer& operator=(const line_writer&) = delete;

  /// With its line end. Callable from any thread. What has been written is out some ms later.
  void write(std::string_view line);

  /// From now on nobody waits for room, and nothing is held back. Callable from any thread.
  void end();

private:
  struct shared;
  std::shared_ptr<shared> shared_; ///< with the thread, which may hang in the system
};

} // namespace lang_agent
