#include "store/memory_store.hpp"

#include "store/quota.hpp"

#include <utility>
#include <variant>

namespace lang_agent::store {

namespace {

constexpr std::size_t replays_per_step = 500;

} // namespace

thread_record memory_store::load(const thread_key& key, const context_limits& limits) {
  const auto x = find(key);
  return x ? x->load(limits) : thread_record{};
}

replay_result memory_store::find_replay(const replay_query& query) {
  if (query.idempotency_key.empty()) {
    const auto* x = replays_.find_request(query.key, query.request, query.since);
    return {x ? x->answer : "", false};
  }
  const auto* x = replays_.find_key(query.key.tenant, query.idempotency_key, query.since);
  if (!x)
    return {};
  if (x->request != query.request || x->key != query.key)
    return {"", true};
  return {x->answer, false};
}

query_result memory_store::ask(const store_query& query) {
  return std::visit([this](const auto& x) { return answer(x); }, query);
}

std::vector<change_result> memory_store::commit(std::span<const store_change> changes) {
  std::vector<change_result> out;
  out.reserve(changes.size());
  try {
    for (const auto& change : changes)
      out.push_back(std::visit([this](const auto& x) { return apply(x); }, change));
  } catch (...) {
    undo();
    throw;
  }
  undo_.clear();
  return out;
}

bool memory_store::sweep(unix_ms replays_before) {
  return replays_.remove_old(replays_before, replays_per_step);
}

// -- queries --------------------------------------------------------------------------------------

query_result memory_store::answer(const find_thread& query) const {
  if (const auto x = find(query.key))
    return x->info;
  return {};
}

query_result memory_store::answer(const list_threads& query) const {
  const auto& all = threads_of(query.tenant);
  auto begin = all.begin();
  auto end = all.end();
  if (!query.after.empty()) {
    const auto after = find({query.tenant, query.after});
    if (!after)
      return {};
    if (query.ascending)
      begin = all.upper_bound(after->rank);
    else
      end = all.lower_bound(after->rank);
  }
  page<thread_info> out;
  while (begin != end && out.data.size() < query.limit)
    out.data.push_back((query.ascending ? begin++ : --end)->second->without_instructions());
  out.has_more = begin != end;
  return out;
}

query_result memory_store::answer(const list_messages& query) const {
  if (const auto x = find(query.key))
    return x->list(query);
  return {};
}

query_result memory_store::answer(const read_thread& query) const {
  auto thread = answer(find_thread{query.first.key});
  if (std::holds_alternative<std::monostate>(thread))
    return {};
  return thread_with_messages{std::get<thread_info>(std::move(thread)),
                              std::get<page<stored_message>>(answer(query.first))};
}

query_result memory_store::answer(const find_expired& query) const {
  const auto& all = threads_of(query.tenant);
  auto next = all.begin();
  if (!query.after.empty()) {
    const auto after = find({query.tenant, query.after});
    if (!after)
      return expired_threads{};
    next = all.upper_bound(after->rank);
  }
  expired_threads out;
  for (auto left = query.scan; left > 0 && next != all.end(); --left, ++next) {
    const auto& x = next->second->info;
    if (x.updated < query.updated_before)
      out.ids.push_back(x.id);
    out.after = x.id;
  }
  if (next == all.end())
    out.after.clear();
  return out;
}

query_result memory_store::answer(const read_totals& query) const {
  return accounts_.totals(query.tenant);
}

// -- changes --------------------------------------------------------------------------------------

change_result memory_store::apply(const turn_record& turn) {
  auto x = find(turn.key);
  if (turn.version != (x ? x->version : 0))
    return refusal::thread_changed;
  if (!turn.idempotency_key.empty()
      && replays_.find_key(turn.key.tenant, turn.idempotency_key, turn.key_since))
    return refusal::key_used;
  tenant_totals added{x ? 0u : 1u, stored_bytes(turn.messages)};
  if (const auto why = over_limit(turn, accounts_.totals(turn.key.tenant), {added.threads, 0}))
    return *why;
  if (turn.keep > (x ? x->live_count() : 0))
    throw storage_error{"a turn keeps more messages than its thread has"};
  if (!x) {
    x = make_thread();
    x->info.created = turn.at;
    insert(turn.key, x);
  }
  if (turn.instructions) // modulo 2^64: shorter ones take bytes away
    added.bytes += stored_bytes(*turn.instructions) - stored_bytes(x->info.instructions);
  undo_.emplace_back([x, before = x->append(turn)] { x->undo_turn(before); });
  if (!turn.answer.empty())
    keep_answer(turn);
  accounts_.add_totals(turn.key.tenant, added);
  if (turn.usage)
    accounts_.apply(add_usage{{*turn.usage}});
  return {};
}

change_result memory_store::apply(const delete_thread& change) {
  const auto x = find(change.key);
  if (!x)
    return change.may_be_missing ? change_result{} : refusal::no_thread;
  if (change.updated_before != 0 && x->info.updated >= change.updated_before)
    return {};
  remove(change.key);
  accounts_.take_totals(change.key.tenant, {1, x->bytes()});
  undo_.emplace_back([this, answers = replays_.take(change.key)] {
    for (const auto& [where, entry] : answers)
      replays_.insert(where, entry);
  });
  return {};
}

change_result memory_store::apply(const fork_thread& change) {
  const auto source = find(change.source);
  if (!source)
    return refusal::no_thread;
  if (find(change.target))
    return refusal::thread_exists;
  const auto count = change.up_to ? source->live_up_to(*change.up_to) : source->live_count();
  if (!count)
    return refusal::no_message;
  const tenant_totals added{1, source->fork_bytes(*count)};
  if (const auto why = over_limit(change, accounts_.totals(change.target.tenant), added))
    return *why;
  auto x = make_thread();
  x->version = 1;
  x->info.created = x->info.updated = change.at;
  x->info.instructions = source->info.instructions;
  x->info.metadata = source->info.metadata;
  x->copy_live(*source, *count);
  accounts_.add_totals(change.target.tenant, added);
  insert(change.target, x);
  return x->info;
}

change_result memory_store::apply(const change_metadata& change) {
  const auto x = find(change.key);
  if (!x)
    return refusal::no_thread;
  auto metadata = changed(x->info.metadata, change);
  if (!metadata)
    return refusal::too_much_metadata;
  std::swap(x->info.metadata, *metadata);
  undo_.emplace_back([x, before = std::move(*metadata)] { x->info.metadata = before; });
  return x->info;
}

change_result memory_store::apply(const import_messages& change) {
  auto& x = imports_[change.import];
  if (!x) {
    x = make_thread();
    undo_.emplace_back([this, name = change.import] { imports_.erase(name); });
  }
  undo_.emplace_back([x, count = x->message_count()] { x->truncate(count); });
  for (const auto& message : change.messages)
    x->add(message);
  return {};
}

change_result memory_store::apply(const finish_import& change) {
  if (find(change.key))
    return refusal::thread_exists;
  auto x = import_of(change.import);
  if (change.messages != 0 && change.messages != (x ? x->message_count() : 0))
    return refusal::no_thread;
  const tenant_totals added{1, (x ? x->bytes() : 0) + stored_bytes(change.info.instructions)};
  if (const auto why = over_limit(change, accounts_.totals(change.key.tenant), added))
    return *why;
  if (x)
    apply(discard_import{change.import});
  else
    x = make_thread();
  x->version = 1;
  x->info.created = change.info.created;
  x->info.updated = change.info.updated;
  x->info.turns = change.info.turns;
  x->info.metadata = change.info.metadata;
  x->info.instructions = change.info.instructions;
  accounts_.add_totals(change.key.tenant, added);
  insert(change.key, x);
  return x->info;
}

change_result memory_store::apply(const discard_import& change) {
  if (const auto x = import_of(change.import)) {
    undo_.emplace_back([this, name = change.import, x] { imports_[name] = x; });
    imports_.erase(change.import);
  }
  return {};
}

// -- parts ----------------------------------------------------------------------------------------

memory_store::thread_ptr memory_store::find(const thread_key& key) const {
  const auto found = threads_.find(key);
  return found == threads_.end() ? nullptr : found->second;
}

memory_store::thread_ptr memory_store::import_of(const std::string& name) const {
  const auto found = imports_.find(name);
  return found == imports_.end() ? nullptr : found->second;
}

const memory_store::ranking& memory_store::threads_of(const std::string& tenant) const {
  static const ranking none;
  const auto found = rankings_.find(tenant);
  return found == rankings_.end() ? none : found->second;
}

memory_store::thread_ptr memory_store::make_thread() {
  auto x = std::make_shared<memory_thread>();
  x->rank = ++last_rank_;
  return x;
}

void memory_store::insert(const thread_key& key, thread_ptr x) {
  x->info.id = key.thread;
  rankings_[key.tenant][x->rank] = x;
  threads_[key] = std::move(x);
  undo_.emplace_back([this, key] {
    rankings_[key.tenant].erase(threads_.at(key)->rank);
    threads_.erase(key);
  });
}

void memory_store::remove(const thread_key& key) {
  auto x = find(key);
  rankings_[key.tenant].erase(x->rank);
  threads_.erase(key);
  undo_.emplace_back([this, key, x] {
    rankings_[key.tenant][x->rank] = x;
    threads_[key] = x;
  });
}

void memory_store::keep_answer(const turn_record& turn) {
  const auto where = replays_.next(turn.at);
  replays_.insert(where, {turn.key, turn.request, turn.idempotency_key, turn.answer});
  undo_.emplace_back([this, where] { replays_.remove(where); });
}

void memory_store::undo() {
  while (!undo_.empty()) {
    undo_.back()();
    undo_.pop_back();
  }
}

} // namespace lang_agent::store
