#include "messages/threads.hpp"

namespace lang_agent {

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
