/// Threads in memory: gone with the process.
#pragma once

#include "store/memory_accounts.hpp"
#include "store/memory_replays.hpp"
#include "store/memory_thread.hpp"
#include "store/thread_store.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace lang_agent::store {

class memory_store final : public thread_store {
public:
  thread_record load(const thread_key& key, const context_limits& limits) override;
  replay_result find_replay(const replay_query& query) override;
  query_result ask(const store_query& query) override;
  std::vector<change_result> commit(std::span<const store_change> changes) override;
  bool sweep(unix_ms replays_before) override;

private:
  using thread_ptr = std::shared_ptr<memory_thread>;
  using ranking = std::map<std::uint64_t, thread_ptr>;

  query_result answer(const find_thread& query) const;
  query_result answer(const list_threads& query) const;
  query_result answer(const list_messages& query) const;
  query_result answer(const read_thread& query) const;
  query_result answer(const find_expired& query) const;
  query_result answer(const read_totals& query) const;

  template <class Query>
  query_result answer(const Query& query) const {
    return accounts_.answer(query);
  }

  change_result apply(const turn_record& turn);
  change_result apply(const delete_thread& change);
  change_result apply(const fork_thread& change);
  change_result apply(const change_metadata& change);
  change_result apply(const import_messages& change);
  change_result apply(const finish_import& change);
  change_result apply(const discard_import& change);

  template <class Change>
  change_result apply(const Change& change) {
    return accounts_.apply(change);
  }

  thread_ptr find(const thread_key& key) const;
  thread_ptr import_of(const std::string& name) const;
  const ranking& threads_of(const std::string& tenant) const;

  thread_ptr make_thread();
  void insert(const thread_key& key, thread_ptr x);
  void remove(const thread_key& key);
  void keep_answer(const turn_record& turn);
  void undo();

  std::vector<std::function<void()>> undo_; ///< takes back the commit so far, last change first
  memory_accounts accounts_{undo_};
  std::unordered_map<thread_key, thread_ptr> threads_;
  std::unordered_map<std::string, ranking> rankings_; ///< by tenant
  std::unordered_map<std::string, thread_ptr> imports_;
  memory_replays replays_;
  std::uint64_t last_rank_ = 0;
};

} // namespace lang_agent::store
