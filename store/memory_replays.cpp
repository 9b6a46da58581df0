#include "store/memory_replays.hpp"

#include <ranges>

namespace lang_agent::store {

namespace {

template <class Index, class Key>
void erase_from(Index& index, const Key& key, memory_replays::position where) {
  const auto found = index.find(key);
  if (found == index.end())
    return;
  found->second.erase(where);
  if (found->second.empty())
    index.erase(found);
}

} // namespace

void memory_replays::insert(position where, entry x) {
  of_thread_[x.key].insert(where);
  if (!x.idempotency_key.empty())
    of_key_[{x.key.tenant, x.idempotency_key}].insert(where);
  entries_.emplace(where, std::move(x));
}

void memory_replays::remove(position where) {
  const auto found = entries_.find(where);
  if (found == entries_.end())
    return;
  const auto& x = found->second;
  erase_from(of_thread_, x.key, where);
  erase_from(of_key_, tenant_and_key{x.key.tenant, x.idempotency_key}, where);
  entries_.erase(found);
}

const memory_replays::entry* memory_replays::find_key(const std::string& tenant,
                                                      const std::string& key, unix_ms since) const {
  const auto found = of_key_.find({tenant, key});
  if (found == of_key_.end())
    return nullptr;
  const auto newest = *found->second.rbegin();
  return newest.first < since ? nullptr : &entries_.at(newest);
}

const memory_replays::entry*
memory_replays::find_request(const thread_key& key, const digest& request, unix_ms since) const {
  const auto found = of_thread_.find(key);
  if (found == of_thread_.end())
    return nullptr;
  for (const auto& where : std::views::reverse(found->second)) {
    if (where.first < since)
      break;
    if (const auto& x = entries_.at(where); x.request == request)
      return &x;
  }
  return nullptr;
}

memory_replays::taken memory_replays::take(const thread_key& key) {
  taken out;
  const auto found = of_thread_.find(key);
  if (found == of_thread_.end())
    return out;
  const auto all = found->second; // removing changes the index
  for (const auto& where : all) {
    out.emplace_back(where, entries_.at(where));
    remove(where);
  }
  return out;
}

bool memory_replays::remove_old(unix_ms before, std::size_t most) {
  const auto has_old = [&] { return !entries_.empty() && entries_.begin()->first.first < before; };
  for (; most > 0 && has_old(); --most)
    remove(entries_.begin()->first);
  return has_old();
}

} // namespace lang_agent::store
