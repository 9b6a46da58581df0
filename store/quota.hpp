/// What a tenant may keep. Private to store/.
#pragma once

#include "messages/threads.hpp"

#include <cstdint>
#include <optional>

namespace lang_agent::store {

/// What a message counts for in `tenant_totals`.
inline std::uint64_t stored_bytes(const chat_message& x) {
  return x.json.size() + x.reasoning.size();
}

inline std::uint64_t stored_bytes(const message_list& messages) {
  std::uint64_t out = 0;
  for (const auto& x : messages)
    out += stored_bytes(*x);
  return out;
}

/// Why the change's limits forbid a tenant to have `added` more; unset: it may have it.
template <class Change>
std::optional<refusal> over_limit(const Change& x, const tenant_totals& now,
                                  const tenant_totals& added) {
  if (x.max_threads != 0 && added.threads != 0 && now.threads >= x.max_threads)
    return refusal::too_many_threads;
  if (x.max_stored_bytes != 0
      && (now.bytes >= x.max_stored_bytes || added.bytes > x.max_stored_bytes - now.bytes))
    return refusal::too_many_bytes;
  return std::nullopt;
}

} // namespace lang_agent::store
