#include "actors/journal_notes.hpp"

#include <algorithm>
#include <utility>

namespace lang_agent {

void journal_notes::add(const add_usage& x, time_point now) {
  begin(now);
  for (const auto& row : x.rows) {
    if (usage_.size() >= bound_ && !usage_.contains(row.key))
      ++lost_;
    else
      usage_[row.key] += row.counts;
  }
}

void journal_notes::add(const touch_keys& x, time_point now) {
  begin(now);
  for (const auto& [id, at] : x.used) {
    if (used_.size() >= bound_ && !used_.contains(id)) {
      ++lost_;
      continue;
    }
    auto& last = used_[id];
    last = std::max(last, at);
  }
}

void journal_notes::begin(time_point now) {
  if (empty())
    since_ = now;
}

std::vector<store_change> journal_notes::take() {
  std::vector<store_change> out;
  if (!usage_.empty()) {
    add_usage all;
    for (auto& [key, counts] : std::exchange(usage_, {}))
      all.rows.push_back({key, counts});
    out.emplace_back(std::move(all));
  }
  if (!used_.empty()) {
    touch_keys all;
    for (auto& [id, at] : std::exchange(used_, {}))
      all.used.emplace_back(id, at);
    out.emplace_back(std::move(all));
  }
  return out;
}

std::size_t journal_notes::take_lost() {
  return std::exchange(lost_, 0);
}

} // namespace lang_agent
