/// What a turn has had of upstreams so far: written while it runs, read by whoever settles it.
#pragma once

#include "messages/chat.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace lang_agent {

/// How a turn ended.
enum class turn_outcome : std::uint8_t { open, answered, cancelled, failed };

struct metered_tokens {
  std::uint64_t prompt = 0;
  std::uint64_t completion = 0;
  bool estimated = false;
};

/// Thread-safe; one writer at a time. A turn that is cut off anywhere leaves here what it has cost.
class usage_meter {
public:
  /// An attempt at an upstream begins. Its prompt is paid for from now on, whatever comes of it.
  void attempt_begins(std::uint64_t prompt_tokens) {
    asked_ = true;
    prompt_ = prompt_tokens;
    answer_bytes_ = 0;
    estimated_ = true;
  }

  /// So much of the answer has come.
  void answer_grows(std::size_t bytes) {
    answer_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  }

  /// The attempt failed before anything of the answer came: nobody is charged for that.
  void attempt_was_free() {
    prompt_ = 0;
    estimated_ = false;
  }

  void completed(const token_usage& x) {
    prompt_ = x.prompt;
    completion_ = x.completion;
    estimated_ = x.estimated;
    answer_bytes_ = 0;
  }

  void ended(turn_outcome x) {
    outcome_ = x;
  }

  /// Whether an upstream was asked at all.
  bool was_asked() const {
    return asked_;
  }

  turn_outcome outcome() const {
    return outcome_;
  }

  metered_tokens tokens() const {
    const auto bytes = answer_bytes_.load();
    return {prompt_,
            bytes > 0 ? (bytes + bytes_per_token - 1) / bytes_per_token : completion_.load(),
            estimated_};
  }

private:
  static constexpr std::uint64_t bytes_per_token = 4; ///< about, in English

  std::atomic<bool> asked_{false};
  std::atomic<bool> estimated_{false};
  std::atomic<turn_outcome> outcome_{turn_outcome::open};
  std::atomic<std::uint64_t> prompt_{0};
  std::atomic<std::uint64_t> completion_{0};
  std::atomic<std::uint64_t> answer_bytes_{0};
};

} // namespace lang_agent
