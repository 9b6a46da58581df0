#include "store/packed_list.hpp"
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

engine::thread_row engine::create_row(const thread_key& key, unix_ms at) {
  db_.run("INSERT INTO threads (tenant, name, created, updated) VALUES (?, ?, ?, ?)", key.tenant,
          key.thread, at, at);
  thread_row out;
  out.id = db_.last_id();
  out.updated = at;
  return out;
}

void engine::update_row(const thread_row& row) {
  db_.run("UPDATE threads SET version = ?, updated = ?, turns = ?, messages = ?, tokens = ?, "
          "last_number = ?, last_replay = ? WHERE id = ?",
          row.version, row.updated, row.turns, row.messages, row.tokens, row.last_number,
          row.last_replay, row.id);
}

void engine::insert(kind table, std::int64_t id, const chat_message& x, unix_ms created) {
  constexpr std::string_view live =
      "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, nullif(?, ''), nullif(?, ''), "
      "nullif(?, ''), ?)";
  constexpr std::string_view old =
      "INSERT INTO superseded VALUES (?, ?, ?, ?, ?, ?, nullif(?, ''), nullif(?, ''), "
      "nullif(?, ''), ?)";
  constexpr std::string_view instruction =
      "INSERT INTO instructions VALUES (?, ?, ?, ?, ?, ?, nullif(?, ''), nullif(?, ''), "
      "nullif(?, ''), ?)";
  std::string calls;
  for (const auto& call : x.calls)
    pack(calls, call);
  const auto sql = table == kind::live ? live : table == kind::superseded ? old : instruction;
  db_.run(sql, id, created, static_cast<std::int64_t>(x.who), std::int64_t{x.tokens},
          std::int64_t{x.empty}, blob{digest_bytes(x.id)}, calls, x.answers, x.reasoning, x.json);
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

  auto row = found ? *found : create_row(x.key, x.at);
  supersede(row, static_cast<std::int64_t>(x.keep));
  for (const auto& message : x.messages)
    insert(kind::live, first_id(row.id) + ++row.last_number, *message, x.at);
  row.messages += static_cast<std::int64_t>(x.messages.size());
  row.tokens += tokens_of(x.messages);
  if (x.instructions)
    replace_instructions(row.id, *x.instructions, x.at);
  if (!x.answer.empty())
    keep_answer(row, x);
  ++row.version;
  ++row.turns;
  row.updated = x.at;
  update_row(row);
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

void engine::replace_instructions(std::int64_t thread, const message_list& messages,
                                  unix_ms created) {
  db_.run("DELETE FROM instructions WHERE id BETWEEN ? AND ?", first_id(thread), last_id(thread));
  auto id = first_id(thread);
  for (const auto& message : messages)
    insert(kind::instructions, ++id, *message, created);
}

void engine::keep_answer(thread_row& row, const turn_record& x) {
  db_.run("INSERT INTO replays (thread, previous, at, request, key, answer) "
          "VALUES (?, ?, ?, ?, nullif(?, ''), ?)",
          row.id, row.last_replay, x.at, blob{digest_bytes(x.request)}, x.idempotency_key,
          x.answer);
  row.last_replay = db_.last_id();
}

// -- the thread API -------------------------------------------------------------------------------

change_result engine::on(const delete_thread& x) {
  const auto row = find_row(x.key);
  if (!row)
    return x.may_be_missing ? change_result{} : refusal::no_thread;
  if (x.updated_before == 0 || row->updated < x.updated_before)
    move_to_trash(row->id);
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
  auto row = create_row(x.target, x.at);
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
      row.turns += message->who == role::assistant;
    }
  }
  replace_instructions(row.id, load_instructions(source->id), x.at);
  db_.run("UPDATE threads SET metadata = (SELECT metadata FROM threads WHERE id = ?) WHERE id = ?",
          source->id, row.id);
  row.version = 1;
  update_row(row);
  return *read_info(x.target);
}

change_result engine::on(const change_metadata& x) {
  auto info = read_info(x.key);
  if (!info)
    return refusal::no_thread;
  auto metadata = changed(std::move(info->metadata), x);
  if (!metadata)
    return refusal::too_much_metadata;
  info->metadata = std::move(*metadata);
  db_.run("UPDATE threads SET metadata = nullif(?, '') WHERE tenant = ? AND name = ?",
          pack_metadata(info->metadata), x.key.tenant, x.key.thread);
  return std::move(*info);
}

// -- imports --------------------------------------------------------------------------------------

change_result engine::on(const import_messages& x) {
  const auto key = import_key(x.import);
  const auto found = find_row(key);
  auto row = found ? *found : create_row(key, 0);
  if (row.last_number + static_cast<std::int64_t>(x.messages.size()) > max_number)
    return refusal::thread_full;
  for (const auto& message : x.messages) {
    const auto id = first_id(row.id) + ++row.last_number;
    insert(message.superseded ? kind::superseded : kind::live, id, *message.message,
           message.created);
    if (!message.superseded) {
      ++row.messages;
      row.tokens += message.message->tokens;
    }
  }
  update_row(row);
  return {};
}

change_result engine::on(const finish_import& x) {
  if (find_row(x.key))
    return refusal::thread_exists;
  const auto key = import_key(x.import);
  const auto found = find_row(key);
  if (x.messages != 0 && x.messages != static_cast<std::uint64_t>(found ? found->last_number : 0))
    return refusal::no_thread;
  const auto row = found ? *found : create_row(key, 0);
  replace_instructions(row.id, x.info.instructions, x.info.created);
  db_.run("UPDATE threads SET tenant = ?, name = ?, version = 1, created = ?, updated = ?, "
          "turns = ?, metadata = nullif(?, '') WHERE id = ?",
          x.key.tenant, x.key.thread, x.info.created, x.info.updated,
          static_cast<std::int64_t>(x.info.turns), pack_metadata(x.info.metadata), row.id);
  return *read_info(x.key);
}

change_result engine::on(const discard_import& x) {
  if (const auto row = find_row(import_key(x.import)))
    move_to_trash(row->id);
  return {};
}

} // namespace lang_agent::store::sqlite
