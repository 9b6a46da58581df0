/// The name of a conversation: a thread belongs to one tenant, whatever its id.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace lang_agent {

struct thread_key {
  std::string tenant;
  std::string thread; ///< integers in decimal: 42 and "42" are the same thread

  bool operator==(const thread_key&) const = default;
};

} // namespace lang_agent

template <>
struct std::hash<lang_agent::thread_key> {
  std::size_t operator()(const lang_agent::thread_key& key) const noexcept {
    const std::hash<std::string> text_hash;
    return text_hash(key.tenant) * 1099511628211ULL ^ text_hash(key.thread);
  }
};
