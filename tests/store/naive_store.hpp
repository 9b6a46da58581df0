/// A store that is easy to believe: plain vectors, searched from one end to the other. What engines
/// are compared with.
#pragma once

#include "tests/store/naive_accounts.hpp"
#include "tests/store/naive_rules.hpp"

#include "store/thread_store.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace lang_agent::test {

class naive_store final : public store::thread_store {
public:
  thread_record load(const thread_key& key, const context_limits& limits) override {
    const auto* x = find(key);
    if (!x)
      return {};
    const auto all = live(*x);
    const auto skipped = all.size() - naive::newest(all, limits);
    return {x->version,
            x->instructions,
            {all.begin() + static_cast<std::ptrdiff_t>(skipped), all.end()},
            skipped};
  }

  replay_result find_replay(const replay_query& query) override {
    const bool by_key = !query.idempotency_key.empty();
    const replay* best = nullptr;
    for (const auto& x : now_.replays) {
      const bool counts = by_key
                              ? x.key.tenant == query.key.tenant && x.name == query.idempotency_key
                              : x.key == query.key && x.request == query.request;
      if (counts && x.at >= query.since && (!best || x.at >= best->at))
        best = &x;
    }
    if (!best)
      return {};
    if (best->key == query.key && best->request == query.request)
      return {best->answer, false};
    return {"", true};
  }

  query_result ask(const store_query& query) override {
    return std::visit([this](const auto& x) { return answer(x); }, query);
  }

  std::vector<change_result> commit(std::span<const store_change> changes) override {
    const auto before = now_;
    try {
      std::vector<change_result> out;
      for (const auto& change : changes)
        out.push_back(std::visit([this](const auto& x) { return apply(x); }, change));
      return out;
    } catch (...) {
      now_ = before;
      throw;
    }
  }

  /// All at once.
  bool sweep(unix_ms replays_before) override {
    std::erase_if(now_.replays, [&](const replay& x) { return x.at < replays_before; });
    return false;
  }

  /// What is left when the process dies.
  void restart() {
    now_.imports.clear();
  }

  std::vector<thread_key> keys() const {
    std::vector<thread_key> out;
    for (const auto& x : now_.threads)
      out.push_back(x.key);
    return out;
  }

private:
  struct thread {
    thread_key key;
    std::uint64_t born = 0;
    std::uint64_t version = 0;
    unix_ms created = 0;
    unix_ms updated = 0;
    std::uint64_t turns = 0;
    thread_metadata metadata = {};
    message_list instructions = {};
    std::vector<stored_message> messages = {};
  };

  struct replay {
    thread_key key;
    digest request;
    std::string name;
    unix_ms at;
    std::string answer;
  };

  struct piece_list {
    std::string name;
    std::uint64_t born = 0;
    std::vector<stored_message> messages = {};
  };

  struct state {
    std::vector<thread> threads = {};
    std::vector<replay> replays = {};
    std::vector<piece_list> imports = {};
    std::uint64_t births = 0;
    naive_accounts accounts = {};
  };

  // -- queries

  query_result answer(const find_thread& query) {
    if (const auto* x = find(query.key))
      return info(*x);
    return {};
  }

  query_result answer(const list_threads& query) {
    auto all = of_tenant(query.tenant);
    if (!query.ascending)
      std::reverse(all.begin(), all.end());
    if (!query.after.empty() && !skip_to(all, query.after))
      return {};
    page<thread_info> out;
    for (const auto& x : all) {
      if (out.data.size() == query.limit) {
        out.has_more = true;
        break;
      }
      out.data.push_back(info(x));
      out.data.back().instructions.clear();
    }
    return out;
  }

  query_result answer(const list_messages& query) {
    const auto* x = find(query.key);
    if (!x)
      return {};
    auto all = x->messages;
    if (!query.superseded)
      std::erase_if(all, [](const stored_message& m) { return m.superseded; });
    if (!query.ascending)
      std::reverse(all.begin(), all.end());
    if (query.after)
      std::erase_if(all, [&](const stored_message& m) {
        return query.ascending ? m.number <= *query.after : m.number >= *query.after;
      });
    page<stored_message> out;
    std::size_t bytes = 0;
    for (const auto& m : all) {
      if (out.data.size() == query.limit || (query.max_bytes != 0 && bytes >= query.max_bytes)) {
        out.has_more = true;
        break;
      }
      bytes += m.message->json.size();
      out.data.push_back(m);
    }
    return out;
  }

  query_result answer(const read_thread& query) {
    const auto* x = find(query.first.key);
    if (!x)
      return {};
    return thread_with_messages{info(*x), std::get<page<stored_message>>(answer(query.first))};
  }

  query_result answer(const find_expired& query) {
    auto all = of_tenant(query.tenant);
    expired_threads out;
    if (!query.after.empty() && !skip_to(all, query.after))
      return out;
    for (std::size_t i = 0; i < all.size() && i < query.scan; ++i)
      if (all[i].updated < query.updated_before)
        out.ids.push_back(all[i].key.thread);
    if (all.size() > query.scan)
      out.after = all[query.scan - 1].key.thread;
    return out;
  }

  // -- changes

  change_result apply(const turn_record& turn) {
    const auto* old = find(turn.key);
    if ((old ? old->version : 0) != turn.version)
      return refusal::thread_changed;
    for (const auto& x : now_.replays)
      if (!turn.idempotency_key.empty() && x.name == turn.idempotency_key
          && x.key.tenant == turn.key.tenant && x.at >= turn.key_since)
        return refusal::key_used;
    if (const auto why = naive::too_much(turn, totals(turn.key.tenant), !old, 0))
      return *why;
    if (turn.keep > (old ? live(*old).size() : 0))
      throw store::storage_error{"keeps too many"};
    if (!old)
      now_.threads.push_back({.key = turn.key, .born = ++now_.births, .created = turn.at});
    auto& x = *find(turn.key);
    std::size_t seen = 0;
    for (auto& m : x.messages)
      if (!m.superseded && seen++ >= turn.keep)
        m.superseded = true;
    for (const auto& m : turn.messages)
      x.messages.push_back({x.messages.size() + 1, turn.at, false, m});
    if (turn.instructions)
      x.instructions = *turn.instructions;
    x.turns += 1;
    x.version += 1;
    x.updated = turn.at;
    if (!turn.answer.empty())
      now_.replays.push_back({turn.key, turn.request, turn.idempotency_key, turn.at, turn.answer});
    if (turn.usage)
      apply(add_usage{{*turn.usage}});
    return {};
  }

  change_result apply(const delete_thread& change) {
    const auto* x = find(change.key);
    if (!x && change.may_be_missing)
      return {};
    if (!x)
      return refusal::no_thread;
    if (change.updated_before == 0 || x->updated < change.updated_before) {
      std::erase_if(now_.threads, [&](const thread& y) { return y.key == change.key; });
      std::erase_if(now_.replays, [&](const replay& y) { return y.key == change.key; });
    }
    return {};
  }

  change_result apply(const fork_thread& change) {
    if (!find(change.source))
      return refusal::no_thread;
    if (find(change.target))
      return refusal::thread_exists;
    auto x = *find(change.source);
    std::erase_if(x.messages, [](const stored_message& m) { return m.superseded; });
    if (change.up_to) {
      while (!x.messages.empty() && x.messages.back().number != *change.up_to)
        x.messages.pop_back();
      if (x.messages.empty())
        return refusal::no_message;
    }
    x.key = change.target;
    x.version = 1;
    x.created = x.updated = change.at;
    x.turns = 0;
    const auto bytes = naive::bytes_of(x.messages) + naive::bytes_of(x.instructions);
    if (const auto why = naive::too_much(change, totals(change.target.tenant), true, bytes))
      return *why;
    std::uint64_t number = 0;
    for (auto& m : x.messages) {
      m.number = ++number;
      if (m.message->who == role::assistant)
        ++x.turns;
    }
    x.born = ++now_.births;
    now_.threads.push_back(x);
    return info(x);
  }

  change_result apply(const change_metadata& change) {
    auto* x = find(change.key);
    if (!x)
      return refusal::no_thread;
    const auto before = x->metadata;
    for (const auto& [name, value] : change.changes) {
      x->metadata.erase(name);
      if (value)
        x->metadata.emplace(name, *value);
    }
    if (x->metadata.size() > 16) {
      x->metadata = before;
      return refusal::too_much_metadata;
    }
    return info(*x);
  }

  change_result apply(const import_messages& change) {
    auto& x = import_of(change.import);
    for (auto m : change.messages) {
      m.number = x.messages.size() + 1;
      x.messages.push_back(m);
    }
    return {};
  }

  change_result apply(const finish_import& change) {
    if (find(change.key))
      return refusal::thread_exists;
    if (change.messages != 0 && change.messages != messages_of_import(change.import))
      return refusal::no_thread;
    auto bytes = naive::bytes_of(change.info.instructions);
    for (const auto& x : now_.imports)
      if (x.name == change.import)
        bytes += naive::bytes_of(x.messages);
    if (const auto why = naive::too_much(change, totals(change.key.tenant), true, bytes))
      return *why;
    const auto pieces = import_of(change.import);
    apply(discard_import{change.import});
    now_.threads.push_back({change.key, pieces.born, 1, change.info.created, change.info.updated,
                            change.info.turns, change.info.metadata, change.info.instructions,
                            pieces.messages});
    return info(now_.threads.back());
  }

  change_result apply(const discard_import& change) {
    std::erase_if(now_.imports, [&](const piece_list& x) { return x.name == change.import; });
    return {};
  }

  /// What is no thread's.
  template <class Query>
  query_result answer(const Query& query) const {
    return now_.accounts.answer(query);
  }

  template <class Change>
  change_result apply(const Change& change) {
    return now_.accounts.apply(change);
  }

  query_result answer(const read_totals& query) const {
    return totals(query.tenant);
  }

  // -- totals

  tenant_totals totals(const std::string& tenant) const {
    tenant_totals out;
    for (const auto& x : now_.threads)
      if (x.key.tenant == tenant) {
        out.threads += 1;
        out.bytes += naive::bytes_of(x.messages) + naive::bytes_of(x.instructions);
      }
    return out;
  }

  // -- parts

  thread* find(const thread_key& key) {
    for (auto& x : now_.threads)
      if (x.key == key)
        return &x;
    return nullptr;
  }

  std::size_t messages_of_import(const std::string& name) const {
    std::size_t out = 0;
    for (const auto& x : now_.imports)
      if (x.name == name)
        out += x.messages.size();
    return out;
  }

  /// That of the name; a new one if there is none.
  piece_list& import_of(const std::string& name) {
    for (auto& x : now_.imports)
      if (x.name == name)
        return x;
    now_.imports.push_back({name, ++now_.births, {}});
    return now_.imports.back();
  }

  std::vector<thread> of_tenant(const std::string& tenant) const {
    auto out = now_.threads;
    std::erase_if(out, [&](const thread& x) { return x.key.tenant != tenant; });
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.born < b.born; });
    return out;
  }

  /// False: there is no such thread.
  static bool skip_to(std::vector<thread>& threads, const std::string& after) {
    const auto found = std::find_if(threads.begin(), threads.end(),
                                    [&](const thread& x) { return x.key.thread == after; });
    if (found == threads.end())
      return false;
    threads.erase(threads.begin(), found + 1);
    return true;
  }

  static message_list live(const thread& x) {
    message_list out;
    for (const auto& m : x.messages)
      if (!m.superseded)
        out.push_back(m.message);
    return out;
  }

  static thread_info info(const thread& x) {
    thread_info out{x.key.thread, x.created, x.updated, x.turns, 0, 0, x.metadata, x.instructions};
    for (const auto& m : live(x)) {
      out.messages += 1;
      out.tokens += m->tokens;
    }
    return out;
  }

  state now_;
};

} // namespace lang_agent::test
