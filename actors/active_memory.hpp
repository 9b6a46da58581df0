/// How much memory the conversations that are awake take. Thread-safe.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

namespace lang_agent {

/// The sum over all conversations, in bytes.
using active_memory = std::shared_ptr<std::atomic<std::size_t>>;

/// The part of one conversation: written by it, read by its directory shard.
class footprint {
public:
  explicit footprint(active_memory total) : total_(std::move(total)) {}
  ~footprint() {
    set(0);
  }

  footprint(const footprint&) = delete;
  footprint& operator=(const footprint&) = delete;

  void set(std::size_t bytes);

  std::size_t bytes() const {
    return bytes_.load(std::memory_order_relaxed);
  }

private:
  active_memory total_;
  std::atomic<std::size_t> bytes_{0};
};

using footprint_ptr = std::shared_ptr<footprint>;

} // namespace lang_agent
