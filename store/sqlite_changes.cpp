#include "store/packed_list.hpp"
#include "store/quota.hpp"
#include "store/sqlite_engine.hpp"

namespace lang_agent::store::sqlite {

namespace {

/// Imports are threads of nobody until they are finished.
thread_key import_key(const std::string& name) {
  return {{}, "import:" + name};
}

std::int64_t tokens_of(const message_list& messages) {
  std::int64_t out = 0;
  for (const auto& x : messages)
    out += x->tokens;
  return out;
}

} // namespace

/// Its id is known before it is stored, so that it can be stored once, complete.
engine::thread_row engine::new_row(unix_ms at) {
  return {.id = ++last_thread_, .updated = at};
}

/// It was created when it was last updated.
void engine::insert_row(const thread_key& key, const thread_row& row) {
  db_.run("INSERT INTO threads VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?)", row.id,
          key.tenant, key.thread, row.version, row.updated, row.updated, row.turns, row.messages,
          row.tokens, row.last_number, row.last_replay, row.bytes);
}

void engine::update_row(const thread_row& row) {
  db_.run("UPDATE threads SET version = ?, updated = ?, turns = ?, messages = ?, tokens = ?, "
          "last_number = ?, last_replay = ?, bytes = ? WHERE id = ?",
          row.version, row.updated, row.turns, row.messages, row.tokens, row.last_number,
          row.last_replay, row.bytes, row.id);
}

void engine::insert(kind table, std::int64_t id, const chat_message& x, unix_ms created) {
  constexpr sql live = "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
  constexpr sql old = "INSERT INTO superseded VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
  constexpr sql instruction = "INSERT INTO instructions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
  std::string calls;
  for (const auto& call : x.calls)
    pack(calls, call);
  db_.run(table == kind::live         ? live
          : table == kind::superseded ? old
                                      : instruction,
          id, created, static_cast<std::int64_t>(x.who), std::int64_t{x.tokens},
          std::int64_t{x.empty}, blob{digest_bytes{x.id}.view()}, nullable{calls},
          nullable{x.answers}, nullable{x.reasoning}, x.json);
}

// -- turns ----------------------------------------------------------------------------------------

change_result engine::on(const turn_record& x) {
  const auto found = find_row(x.key);
  if (x.version != static_cast<std::uint64_t>(found ? found->version : 0))
    return refusal::thread_changed;
  if (!x.idempotency_key.empty()
      && find_key(x.key.tenant, x.idempotency_key, x.request, x.key_since))
    return refusal::key_used;
  if (found && found->last_number + static_cast<std::int64_t>(x.messages.size()) > max_number)
    return refusal::thread_full;
  if (const auto why = over_limit(x, totals_of(x.key.tenant).now, {.threads = found ? 0u : 1u}))
    return *why;

  auto row = found ? *found : new_row(x.at);
  supersede(row, static_cast<std::int64_t>(x.keep));
  for (const auto& message : x.messages)
    insert(kind::live, first_id(row.id) + ++row.last_number, *message, x.at);
  row.messages += static_cast<std::int64_t>(x.messages.size());
  row.tokens += tokens_of(x.messages);
  const auto before = row.bytes;
  row.bytes += static_cast<std::int64_t>(stored_bytes(x.messages));
  if (x.instructions) {
    if (found)
      drop_instructions(row);
    add_instructions(row, *x.instructions, x.at);
  }
  // Modulo 2^64, as shorter instructions take bytes away.
  const tenant_totals added{found ? 0u : 1u, static_cast<std::uint64_t>(row.bytes - before)};
  const bool keeps_answer = !x.answer.empty();
  if (keeps_answer)
    keep_answer(row, x, added);
  ++row.version;
  ++row.turns;
  row.updated = x.at;
  if (found)
    update_row(row);
  else
    insert_row(x.key, row);
  add_totals(x.key.tenant, added);
  if (x.usage)
    add_to_usage(*x.usage);
  if (keeps_answer)
    ++uncounted_turns_;
  else
    must_count_ = true;
  return {};
}

/// Moves the live messages after the first `keep` out of the live ones.
void engine::supersede(thread_row& row, std::int64_t keep) {
  const auto dropped = row.messages - keep;
  if (dropped < 0)
    throw storage_error{"a turn keeps more messages than its thread has"};
  if (dropped == 0)
    return;
  auto last_kept = first_id(row.id);
  if (keep > 0) {
    auto rows = db_.query("SELECT id FROM messages WHERE id BETWEEN ? AND ? ORDER BY id DESC "
                          "LIMIT 1 OFFSET ?",
                          first_id(row.id), last_id(row.id), dropped);
    if (!rows.next())
      throw storage_error{"the database lacks messages of a thread"};
    last_kept = rows.integer(0);
  }
  {
    auto rows = db_.query("SELECT coalesce(sum(tokens), 0) FROM messages WHERE id > ? AND id <= ?",
                          last_kept, last_id(row.id));
    row.tokens -= rows.next() ? rows.integer(0) : 0;
  }
  db_.run("INSERT INTO superseded SELECT * FROM messages WHERE id > ? AND id <= ?", last_kept,
          last_id(row.id));
  db_.run("DELETE FROM messages WHERE id > ? AND id <= ?", last_kept, last_id(row.id));
  row.messages = keep;
}

void engine::drop_instructions(thread_row& row) {
  row.bytes -= static_cast<std::int64_t>(stored_bytes(load_instructions(row.id)));
  db_.run("DELETE FROM instructions WHERE id BETWEEN ? AND ?", first_id(row.id), last_id(row.id));
}

void engine::add_instructions(thread_row& row, const message_list& messages, unix_ms created) {
  auto id = first_id(row.id);
  for (const auto& message : messages)
    insert(kind::instructions, ++id, *message, created);
  row.bytes += static_cast<std::int64_t>(stored_bytes(messages));
}

/// Tells what the turn added, too, so that no sum need be written with it.
void engine::keep_answer(thread_row& row, const turn_record& x, const tenant_totals& added) {
  const auto id = ++last_replay_;
  const auto used = x.usage ? pack_usage(*x.usage) : std::string{};
  db_.run("INSERT INTO replays VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", id, row.id, row.last_replay,
          x.at, blob{digest_bytes{x.request}.view()}, nullable{x.idempotency_key}, x.answer,
          static_cast<std::int64_t>(added.threads), static_cast<std::int64_t>(added.bytes),
          nullable{used});
  row.last_replay = id;
}

// -- the thread API -------------------------------------------------------------------------------

change_result engine::on(const delete_thread& x) {
  const auto row = find_row(x.key);
  if (!row)
    return x.may_be_missing ? change_result{} : refusal::no_thread;
  if (x.updated_before != 0 && row->updated >= x.updated_before)
    return {};
  move_to_trash(row->id);
  // Added modulo 2^64, what is negative takes away.
  add_totals(x.key.tenant, {~std::uint64_t{0}, static_cast<std::uint64_t>(-row->bytes)});
  must_count_ = true;
  return {};
}

/// Gone for everybody at once, whatever its size; the sweep removes what it had.
void engine::move_to_trash(std::int64_t thread) {
  db_.run("UPDATE threads SET tenant = '', name = 'trash:' || id, metadata = NULL WHERE id = ?",
          thread);
}

change_result engine::on(const fork_thread& x) {
  const auto source = find_row(x.source);
  if (!source)
    return refusal::no_thread;
  if (find_row(x.target))
    return refusal::thread_exists;
  auto last = last_id(source->id);
  if (x.up_to) {
    last = first_id(source->id)
           + static_cast<std::int64_t>(std::min(*x.up_to, std::uint64_t{max_number}));
    auto rows = db_.query("SELECT 1 FROM messages WHERE id = ?", last);
    if (*x.up_to == 0 || !rows.next())
      return refusal::no_message;
  }
  // Only where it may matter the messages are read for their size alone.
  tenant_totals added{1, static_cast<std::uint64_t>(source->bytes)};
  if (over_limit(x, totals_of(x.target.tenant).now, added)) {
    added.bytes = fork_bytes(*source, last);
    if (const auto why = over_limit(x, totals_of(x.target.tenant).now, added))
      return *why;
  }
  auto row = new_row(x.at);
  {
    // One by one: SQLite would gather them all before it wrote the first into the same table.
    auto rows = db_.query("SELECT created, role, tokens, empty, digest, calls, answers, reasoning, "
                          "json FROM messages WHERE id BETWEEN ? AND ? ORDER BY id",
                          first_id(source->id), last);
    while (rows.next()) {
      const auto message = read_message(rows, 0);
      insert(kind::live, first_id(row.id) + ++row.last_number, *message, rows.integer(0));
      ++row.messages;
      row.tokens += message->tokens;
      row.bytes += static_cast<std::int64_t>(stored_bytes(*message));
      row.turns += message->who == role::assistant;
    }
  }
  add_instructions(row, load_instructions(source->id), x.at);
  row.version = 1;
  insert_row(x.target, row);
  db_.run("UPDATE threads SET metadata = (SELECT metadata FROM threads WHERE id = ?) WHERE id = ?",
          source->id, row.id);
  add_totals(x.target.tenant, {1, static_cast<std::uint64_t>(row.bytes)});
  must_count_ = true;
  return *read_info(x.target);
}

/// Of the thread's instructions and its live messages up to the one with the id `last`.
std::uint64_t engine::fork_bytes(const thread_row& row, std::int64_t last) {
  auto rows = db_.query("SELECT coalesce(sum(length(CAST(json AS BLOB)) "
                        "+ coalesce(length(CAST(reasoning AS BLOB)), 0)), 0) "
                        "FROM (SELECT json, reasoning FROM messages WHERE id BETWEEN ?1 AND ?2 "
                        "UNION ALL "
                        "SELECT json, reasoning FROM instructions WHERE id BETWEEN ?1 AND ?3)",
                        first_id(row.id), last, last_id(row.id));
  return rows.next() ? rows.natural(0) : 0;
}

change_result engine::on(const change_metadata& x) {
  auto info = read_info(x.key);
  if (!info)
    return refusal::no_thread;
  auto metadata = changed(std::move(info->metadata), x);
  if (!metadata)
    return refusal::too_much_metadata;
  info->metadata = std::move(*metadata);
  const auto packed = pack_metadata(info->metadata);
  db_.run("UPDATE threads SET metadata = ? WHERE tenant = ? AND name = ?", nullable{packed},
          x.key.tenant, x.key.thread);
  return std::move(*info);
}

// -- imports --------------------------------------------------------------------------------------

change_result engine::on(const import_messages& x) {
  const auto key = import_key(x.import);
  const auto found = find_row(key);
  auto row = found ? *found : new_row(0);
  if (row.last_number + static_cast<std::int64_t>(x.messages.size()) > max_number)
    return refusal::thread_full;
  for (const auto& message : x.messages) {
    const auto id = first_id(row.id) + ++row.last_number;
    insert(message.superseded ? kind::superseded : kind::live, id, *message.message,
           message.created);
    row.bytes += static_cast<std::int64_t>(stored_bytes(*message.message));
    if (!message.superseded) {
      ++row.messages;
      row.tokens += message.message->tokens;
    }
  }
  if (found)
    update_row(row);
  else
    insert_row(key, row);
  return {};
}

change_result engine::on(const finish_import& x) {
  if (find_row(x.key))
    return refusal::thread_exists;
  const auto key = import_key(x.import);
  const auto found = find_row(key);
  if (x.messages != 0 && x.messages != static_cast<std::uint64_t>(found ? found->last_number : 0))
    return refusal::no_thread;
  const tenant_totals added{1, static_cast<std::uint64_t>(found ? found->bytes : 0)
                                   + stored_bytes(x.info.instructions)};
  if (const auto why = over_limit(x, totals_of(x.key.tenant).now, added))
    return *why;
  auto row = found ? *found : new_row(0);
  if (!found)
    insert_row(key, row);
  add_instructions(row, x.info.instructions, x.info.created);
  const auto metadata = pack_metadata(x.info.metadata);
  db_.run("UPDATE threads SET tenant = ?, name = ?, version = 1, created = ?, updated = ?, "
          "turns = ?, metadata = ?, bytes = ? WHERE id = ?",
          x.key.tenant, x.key.thread, x.info.created, x.info.updated,
          static_cast<std::int64_t>(x.info.turns), nullable{metadata}, row.bytes, row.id);
  add_totals(x.key.tenant, added);
  must_count_ = true;
  return *read_info(x.key);
}

change_result engine::on(const discard_import& x) {
  if (const auto row = find_row(import_key(x.import)))
    move_to_trash(row->id);
  return {};
}

} // namespace lang_agent::store::sqlite
