/// A value that is replaced now and then and read all the time, on every thread, without a lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace lang_agent {

/// Each thread keeps the version that it saw last, and looks at one counter to see whether there is
/// a newer one. Only then it takes the lock. So an old version lives until each thread has looked
/// again, or has ended.
template <class T>
class published {
public:
  using pointer = std::shared_ptr<const T>;

  explicit published(pointer first) : latest_(std::move(first)) {}

  published(const published&) = delete;
  published& operator=(const published&) = delete;

  /// Thread-safe. The reference is good until this thread asks again.
  const pointer& current() const {
    auto& seen = seen_here()[id_];
    if (const auto version = version_.load(std::memory_order_acquire); seen.version != version) {
      const std::lock_guard lock{mutex_};
      seen = {version, latest_};
    }
    return seen.value;
  }

  /// Thread-safe.
  void publish(pointer x) {
    const std::lock_guard lock{mutex_};
    latest_ = std::move(x);
    version_.fetch_add(1, std::memory_order_release);
  }

private:
  struct view {
    std::uint64_t version = 0;
    pointer value = {};
  };

  static std::unordered_map<std::uint64_t, view>& seen_here() {
    thread_local std::unordered_map<std::uint64_t, view> seen;
    return seen;
  }

  static std::uint64_t next_id() {
    static std::atomic<std::uint64_t> last{0};
    return ++last;
  }

  const std::uint64_t id_ = next_id();
  mutable std::mutex mutex_;
  pointer latest_;
  std::atomic<std::uint64_t> version_{1};
};

} // namespace lang_agent
