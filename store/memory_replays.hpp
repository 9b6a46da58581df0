/// What the memory engine answers retries with.
#pragma once

#include "messages/threads.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace lang_agent::store {

class memory_replays {
public:
  struct entry {
    thread_key key;
    digest request = {};
    std::string idempotency_key = {};
    std::string answer = {};
  };

  /// Entries are ordered by time; those of the same time as they were stored.
  using position = std::pair<unix_ms, std::uint64_t>;
  using taken = std::vector<std::pair<position, entry>>;

  position next(unix_ms at) {
    return {at, ++last_};
  }

  void insert(position where, entry x);
  void remove(position where);

  /// The newest entry that was stored with this key. Null: none since then.
  const entry* find_key(const std::string& tenant, const std::string& key, unix_ms since) const;

  /// The newest entry of the thread for this request. Null: none since then.
  const entry* find_request(const thread_key& key, const digest& request, unix_ms since) const;

  /// Removes all entries of a thread.
  taken take(const thread_key& key);

  /// Removes the oldest `most` entries from before `before`. True: there are more of them.
  bool remove_old(unix_ms before, std::size_t most);

private:
  using tenant_and_key = std::pair<std::string, std::string>;

  std::map<position, entry> entries_;
  std::unordered_map<thread_key, std::set<position>> of_thread_;
  std::map<tenant_and_key, std::set<position>> of_key_;
  std::uint64_t last_ = 0;
};

} // namespace lang_agent::store
