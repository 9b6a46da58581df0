#include "store/memory_thread.hpp"

#include "store/history_window.hpp"
#include "store/quota.hpp"

#include <algorithm>
#include <ranges>
#include <utility>

namespace lang_agent::store {

memory_thread::before_turn memory_thread::append(const turn_record& turn) {
  before_turn before{version, info, messages_.size(), supersede_after(turn.keep)};
  for (const auto& x : turn.messages)
    add({0, turn.at, false, x});
  if (turn.instructions)
    info.instructions = *turn.instructions;
  info.updated = turn.at;
  ++info.turns;
  ++version;
  return before;
}

void memory_thread::undo_turn(before_turn before) {
  truncate(before.messages);
  for (const auto i : before.superseded) {
    messages_[i].superseded = false;
    live_.push_back(i);
  }
  version = before.version;
  info = std::move(before.info);
}

void memory_thread::add(stored_message x) {
  x.number = messages_.size() + 1;
  if (!x.superseded) {
    live_.push_back(messages_.size());
    ++info.messages;
    info.tokens += x.message->tokens;
  }
  messages_.push_back(std::move(x));
}

void memory_thread::truncate(std::size_t count) {
  messages_.resize(count);
  while (!live_.empty() && live_.back() >= count)
    live_.pop_back();
  recount();
}

std::optional<std::size_t> memory_thread::live_up_to(std::uint64_t number) const {
  const auto found = std::ranges::lower_bound(live_, number, {}, [](auto i) { return i + 1; });
  if (found == live_.end() || *found + 1 != number)
    return std::nullopt;
  return static_cast<std::size_t>(found - live_.begin()) + 1;
}

std::uint64_t memory_thread::fork_bytes(std::size_t count) const {
  auto out = stored_bytes(info.instructions);
  for (std::size_t i = 0; i < count; ++i)
    out += stored_bytes(live(i));
  return out;
}

std::uint64_t memory_thread::bytes() const {
  auto out = stored_bytes(info.instructions);
  for (const auto& x : messages_)
    out += stored_bytes(*x.message);
  return out;
}

void memory_thread::copy_live(const memory_thread& from, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    add(from.messages_[from.live_[i]]);
    info.turns += from.live(i).who == role::assistant ? 1 : 0;
  }
}

thread_record memory_thread::load(const context_limits& limits) const {
  history_window window{limits};
  auto unseen = live_.size();
  while (unseen > 0 && !window.is_enough_before(live(unseen - 1)))
    --unseen;
  const auto skipped = live_.size() - window.kept(unseen == 0);
  thread_record out{version, info.instructions, {}, skipped};
  out.history.reserve(live_.size() - skipped);
  for (auto i = skipped; i < live_.size(); ++i)
    out.history.push_back(messages_[live_[i]].message);
  return out;
}

page<stored_message> memory_thread::list(const list_messages& query) const {
  const auto at = [&](std::size_t i) -> const stored_message& {
    return messages_[query.superseded ? i : live_[i]];
  };
  std::size_t begin = 0;
  auto end = query.superseded ? messages_.size() : live_.size();
  if (query.after) {
    const auto is_before = [&](std::size_t i) {
      return query.ascending ? at(i).number <= *query.after : at(i).number < *query.after;
    };
    const auto border = *std::ranges::partition_point(std::views::iota(begin, end), is_before);
    (query.ascending ? begin : end) = border;
  }
  page<stored_message> out;
  std::size_t bytes = 0;
  while (begin < end && out.data.size() < query.limit
         && (query.max_bytes == 0 || bytes < query.max_bytes)) {
    out.data.push_back(at(query.ascending ? begin++ : --end));
    bytes += out.data.back().message->json.size();
  }
  out.has_more = begin < end;
  return out;
}

thread_info memory_thread::without_instructions() const {
  return {info.id,       info.created, info.updated,  info.turns,
          info.messages, info.tokens,  info.metadata, {}};
}

std::vector<std::size_t> memory_thread::supersede_after(std::size_t keep) {
  const auto first = live_.begin() + static_cast<std::ptrdiff_t>(keep);
  std::vector<std::size_t> out{first, live_.end()};
  live_.erase(first, live_.end());
  for (const auto i : out) {
    messages_[i].superseded = true;
    --info.messages;
    info.tokens -= messages_[i].message->tokens;
  }
  return out;
}

void memory_thread::recount() {
  info.messages = live_.size();
  info.tokens = 0;
  for (std::size_t i = 0; i < live_.size(); ++i)
    info.tokens += live(i).tokens;
}

} // namespace lang_agent::store
