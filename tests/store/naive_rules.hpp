/// Rules of threads as they are easy to believe: what a prompt needs of them, what a tenant may
/// keep.
#pragma once

#include "messages/threads.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace lang_agent::test::naive {

inline std::uint64_t bytes_of(const std::vector<stored_message>& messages) {
  std::uint64_t out = 0;
  for (const auto& m : messages)
    out += m.message->json.size() + m.message->reasoning.size();
  return out;
}

inline std::uint64_t bytes_of(const message_list& messages) {
  std::uint64_t out = 0;
  for (const auto& m : messages)
    out += m->json.size() + m->reasoning.size();
  return out;
}

/// Whether so many bytes more, for a new thread or not, are too much.
template <class Change>
std::optional<refusal> too_much(const Change& change, const tenant_totals& now, bool is_new,
                                std::uint64_t bytes) {
  if (is_new && change.max_threads > 0 && now.threads + 1 > change.max_threads)
    return refusal::too_many_threads;
  const auto after = now.bytes + bytes;
  if (change.max_stored_bytes > 0
      && (now.bytes >= change.max_stored_bytes || after > change.max_stored_bytes))
    return refusal::too_many_bytes;
  return std::nullopt;
}

inline bool begins_turn(const message_list& all, std::size_t at) {
  return all[at]->who == role::user && (at == 0 || all[at - 1]->who != role::user);
}

/// The fewest messages that reach a limit, cut to whole turns, or one turn if there is none.
/// A thread begins with a turn, whatever its first message is.
inline std::size_t newest(const message_list& all, const context_limits& limits) {
  const auto reached = [&](std::size_t n) {
    std::size_t tokens = 0;
    for (auto i = all.size() - n; i < all.size(); ++i)
      tokens += all[i]->tokens;
    return (limits.max_messages != 0 && n >= limits.max_messages)
           || (limits.max_tokens != 0 && tokens >= limits.max_tokens);
  };
  std::size_t full = 1;
  while (full < all.size() && !reached(full))
    ++full;
  if (full >= all.size())
    return all.size();
  for (auto n = full; n > 0; --n)
    if (begins_turn(all, all.size() - n))
      return n;
  auto n = full;
  while (n < all.size() && !begins_turn(all, all.size() - n))
    ++n;
  return n;
}

} // namespace lang_agent::test::naive
