#include "store/history_window.hpp"
#include "store/sqlite_engine.hpp"

#include <algorithm>

namespace lang_agent::store::sqlite {

namespace {

/// Of a thread's chain of replays that a retry is looked for in.
constexpr int max_links = 1000;

thread_info read_facts(const cursor& row) {
  thread_info out;
  out.id = row.bytes(0);
  out.created = row.integer(1);
  out.updated = row.integer(2);
  out.turns = row.natural(3);
  out.messages = row.natural(4);
  out.tokens = row.natural(5);
  out.metadata = unpack_metadata(row.bytes(6));
  return out;
}

} // namespace

std::optional<engine::thread_row> engine::find_row(const thread_key& key) {
  auto rows = db_.query("SELECT id, version, updated, turns, messages, tokens, last_number, "
                        "last_replay, bytes FROM threads WHERE tenant = ? AND name = ?",
                        key.tenant, key.thread);
  if (!rows.next())
    return std::nullopt;
  return thread_row{rows.integer(0), rows.integer(1), rows.integer(2),
                    rows.integer(3), rows.integer(4), rows.integer(5),
                    rows.integer(6), rows.integer(7), rows.integer(8)};
}

// -- loading --------------------------------------------------------------------------------------

thread_record engine::load(const thread_key& key, const context_limits& limits) {
  in_use_ = true;
  const auto row = find_row(key);
  if (!row)
    return {};
  thread_record out;
  out.version = static_cast<std::uint64_t>(row->version);
  out.instructions = load_instructions(row->id);
  out.history = limits.unlimited() ? load_all(*row) : load_newest(*row, limits);
  out.skipped = static_cast<std::size_t>(row->messages) - out.history.size();
  return out;
}

message_list engine::load_instructions(std::int64_t thread) {
  auto rows = db_.query("SELECT created, role, tokens, empty, digest, calls, answers, reasoning, "
                        "json FROM instructions WHERE id BETWEEN ? AND ? ORDER BY id",
                        first_id(thread), last_id(thread));
  message_list out;
  while (rows.next())
    out.push_back(read_message(rows, 0));
  return out;
}

message_list engine::load_all(const thread_row& row) {
  auto rows = db_.query("SELECT created, role, tokens, empty, digest, calls, answers, reasoning, "
                        "json FROM messages WHERE id BETWEEN ? AND ? ORDER BY id",
                        first_id(row.id), last_id(row.id));
  message_list out;
  out.reserve(static_cast<std::size_t>(row.messages));
  while (rows.next())
    out.push_back(read_message(rows, 0));
  return out;
}

message_list engine::load_newest(const thread_row& row, const context_limits& limits) {
  auto rows = db_.query("SELECT created, role, tokens, empty, digest, calls, answers, reasoning, "
                        "json FROM messages WHERE id BETWEEN ? AND ? ORDER BY id DESC",
                        first_id(row.id), last_id(row.id));
  history_window window{limits};
  message_list out;
  bool enough = false;
  while (!enough && rows.next()) {
    auto message = read_message(rows, 0);
    enough = window.is_enough_before(*message);
    if (!enough)
      out.push_back(std::move(message));
  }
  out.resize(window.kept(!enough));
  std::reverse(out.begin(), out.end());
  return out;
}

// -- replays --------------------------------------------------------------------------------------

replay_result engine::find_replay(const replay_query& query) {
  const auto row = find_row(query.key);
  if (query.idempotency_key.empty())
    return {row ? find_request(*row, query.request, query.since) : std::string{}};
  const auto found = find_key(query.key.tenant, query.idempotency_key, query.request, query.since);
  if (!found)
    return {};
  if (!row || found->thread != row->id || !found->same_request)
    return {{}, true};
  auto rows = db_.query("SELECT answer FROM replays WHERE id = ?", found->id);
  return {rows.next() ? std::string{rows.bytes(0)} : std::string{}};
}

std::optional<engine::found_replay>
engine::find_key(const std::string& tenant, const std::string& key, digest request, unix_ms since) {
  auto rows = db_.query("SELECT replays.id, thread, request FROM replays "
                        "JOIN threads ON threads.id = thread "
                        "WHERE key = ? AND tenant = ? AND at >= ? ORDER BY replays.id DESC LIMIT 1",
                        key, tenant, since);
  if (!rows.next())
    return std::nullopt;
  return found_replay{rows.integer(0), rows.integer(1),
                      rows.bytes(2) == digest_bytes{request}.view()};
}

/// Follows the thread's chain of replays, as far as a retry may lie back. Swept ones end it; a
/// number that was used again does, too.
std::string engine::find_request(const thread_row& row, digest request, unix_ms since) {
  const digest_bytes wanted{request};
  auto next = row.last_replay;
  for (int link = 0; next != 0 && link < max_links; ++link) {
    auto rows =
        db_.query("SELECT thread, previous, at, request, answer FROM replays WHERE id = ?", next);
    if (!rows.next() || rows.integer(0) != row.id || rows.integer(2) < since)
      break;
    if (rows.bytes(3) == wanted.view())
      return std::string{rows.bytes(4)};
    if (rows.integer(1) >= next)
      break;
    next = rows.integer(1);
  }
  return {};
}

// -- questions ------------------------------------------------------------------------------------

std::optional<thread_info> engine::read_info(const thread_key& key) {
  auto rows = db_.query("SELECT name, created, updated, turns, messages, tokens, metadata, id "
                        "FROM threads WHERE tenant = ? AND name = ?",
                        key.tenant, key.thread);
  if (!rows.next())
    return std::nullopt;
  auto out = read_facts(rows);
  out.instructions = load_instructions(rows.integer(7));
  return out;
}

query_result engine::on(const find_thread& x) {
  auto found = read_info(x.key);
  return found ? query_result{std::move(*found)} : query_result{};
}

query_result engine::on(const list_threads& x) {
  auto border = x.ascending ? std::int64_t{0} : std::numeric_limits<std::int64_t>::max();
  if (!x.after.empty()) {
    const auto row = find_row({x.tenant, x.after});
    if (!row)
      return {};
    border = row->id;
  }
  const auto wanted = static_cast<std::int64_t>(x.limit) + 1;
  constexpr sql forwards =
      "SELECT name, created, updated, turns, messages, tokens, metadata FROM threads "
      "INDEXED BY threads_of_tenant WHERE tenant = ? AND id > ? ORDER BY id LIMIT ?";
  constexpr sql backwards =
      "SELECT name, created, updated, turns, messages, tokens, metadata FROM threads "
      "INDEXED BY threads_of_tenant WHERE tenant = ? AND id < ? ORDER BY id DESC LIMIT ?";
  auto rows = db_.query(x.ascending ? forwards : backwards, x.tenant, border, wanted);
  page<thread_info> out;
  while (rows.next() && !out.has_more) {
    out.has_more = out.data.size() == x.limit;
    if (!out.has_more)
      out.data.push_back(read_facts(rows));
  }
  return out;
}

query_result engine::on(const list_messages& x) {
  const auto row = find_row(x.key);
  if (!row)
    return {};
  const auto last =
      static_cast<std::int64_t>(std::min(x.after.value_or(x.ascending ? 0 : max_number + 1),
                                         static_cast<std::uint64_t>(max_number + 1)));
  const auto border = first_id(row->id) + last;
  const auto from = x.ascending ? border + 1 : first_id(row->id);
  const auto to = x.ascending ? last_id(row->id) : border - 1;
  // An empty range keeps the superseded ones out.
  const auto superseded_to = x.superseded ? to : from - 1;
  constexpr sql forwards =
      "SELECT id, 0, created, role, tokens, empty, digest, calls, answers, reasoning, json "
      "FROM messages WHERE id BETWEEN ? AND ? UNION ALL "
      "SELECT id, 1, created, role, tokens, empty, digest, calls, answers, reasoning, json "
      "FROM superseded WHERE id BETWEEN ? AND ? ORDER BY 1 LIMIT ?";
  constexpr sql backwards =
      "SELECT id, 0, created, role, tokens, empty, digest, calls, answers, reasoning, json "
      "FROM messages WHERE id BETWEEN ? AND ? UNION ALL "
      "SELECT id, 1, created, role, tokens, empty, digest, calls, answers, reasoning, json "
      "FROM superseded WHERE id BETWEEN ? AND ? ORDER BY 1 DESC LIMIT ?";
  auto rows = db_.query(x.ascending ? forwards : backwards, from, to, from, superseded_to,
                        static_cast<std::int64_t>(x.limit) + 1);
  page<stored_message> out;
  std::size_t bytes = 0;
  while (rows.next()) {
    out.has_more = out.data.size() == x.limit || (x.max_bytes != 0 && bytes >= x.max_bytes);
    if (out.has_more)
      break;
    auto& message = out.data.emplace_back();
    message.number = static_cast<std::uint64_t>(rows.integer(0) & max_number);
    message.superseded = rows.integer(1) != 0;
    message.created = rows.integer(2);
    message.message = read_message(rows, 2);
    bytes += message.message->json.size();
  }
  return out;
}

query_result engine::on(const read_thread& x) {
  auto found = read_info(x.first.key);
  if (!found)
    return {};
  return thread_with_messages{std::move(*found), std::get<page<stored_message>>(on(x.first))};
}

query_result engine::on(const find_expired& x) {
  const auto row = x.after.empty() ? std::nullopt : find_row({x.tenant, x.after});
  // The thread where the last step ended is gone: the next pass sees what this one misses.
  if (!x.after.empty() && !row)
    return expired_threads{};
  auto rows = db_.query("SELECT name, updated FROM threads INDEXED BY threads_of_tenant "
                        "WHERE tenant = ? AND id > ? ORDER BY id LIMIT ?",
                        x.tenant, row ? row->id : 0, static_cast<std::int64_t>(x.scan) + 1);
  expired_threads out;
  std::string last;
  for (std::size_t seen = 0; rows.next(); ++seen) {
    if (seen == x.scan) {
      out.after = last;
      break;
    }
    last = rows.bytes(0);
    if (rows.integer(1) < x.updated_before)
      out.ids.push_back(last);
  }
  return out;
}

} // namespace lang_agent::store::sqlite
