/// What the journal was told beside the changes that somebody waits for: usage and last uses of
/// keys, summed up until they are committed.
#pragma once

#include "messages/threads.hpp"

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace lang_agent {

class journal_notes {
public:
  using time_point = std::chrono::steady_clock::time_point;

  /// Holds at most so many rows and so many keys. What has a row of its own already is added to
  /// that at any time; what finds no room is lost.
  explicit journal_notes(std::size_t bound) : bound_(bound) {}

  void add(const add_usage& x, time_point now);
  void add(const touch_keys& x, time_point now);

  bool empty() const {
    return usage_.empty() && used_.empty();
  }

  /// It is time to commit what is there.
  bool is_full() const {
    return usage_.size() >= bound_ || used_.size() >= bound_;
  }

  /// When the first of them came; for notes that are not empty.
  time_point since() const {
    return since_;
  }

  /// All of them as two changes at most; none are left.
  std::vector<store_change> take();

  /// Rows and keys that were lost since this was asked last.
  std::size_t take_lost();

private:
  void begin(time_point now);

  std::size_t bound_;
  std::map<usage_key, usage_counts> usage_;
  std::map<std::string, unix_ms> used_; ///< by id of the key
  time_point since_ = {};
  std::size_t lost_ = 0;
};

} // namespace lang_agent
