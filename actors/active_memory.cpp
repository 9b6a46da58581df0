#include "actors/active_memory.hpp"

namespace lang_agent {

void footprint::set(std::size_t bytes) {
  const auto before = bytes_.exchange(bytes, std::memory_order_relaxed);
  total_->fetch_add(bytes - before, std::memory_order_relaxed); // may wrap on its way, rightly
}

} // namespace lang_agent
