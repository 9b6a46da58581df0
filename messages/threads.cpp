#include "messages/threads.hpp"

#include <chrono>

namespace lang_agent {

unix_ms unix_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

std::optional<thread_metadata> changed(thread_metadata before, const change_metadata& x) {
  for (const auto& [name, value] : x.changes) {
    if (value)
      before[name] = *value;
    else
      before.erase(name);
  }
  if (before.size() > max_metadata_pairs)
    return std::nullopt;
  return before;
}

} // namespace lang_agent
