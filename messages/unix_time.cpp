#include "messages/unix_time.hpp"

#include <chrono>

namespace lang_agent {

unix_ms unix_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

} // namespace lang_agent
