#include "store/memory_store.hpp"

namespace lang_agent::store {

thread_record memory_store::load(const thread_key& key) {
  const auto found = threads_.find(key);
  return found == threads_.end() ? thread_record{} : found->second.live;
}

void memory_store::append(const turn_record& turn) {
  auto& kept = threads_[turn.key];
  auto& history = kept.live.history;
  if (turn.keep > history.size())
    throw storage_error{"a turn keeps more messages than its thread has"};
  const auto dropped = history.begin() + static_cast<std::ptrdiff_t>(turn.keep);
  kept.superseded.insert(kept.superseded.end(), dropped, history.end());
  history.erase(dropped, history.end());
  history.insert(history.end(), turn.messages.begin(), turn.messages.end());
  kept.live.instructions = turn.instructions;
}

} // namespace lang_agent::store
