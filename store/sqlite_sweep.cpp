#include "store/sqlite_engine.hpp"

namespace lang_agent::store::sqlite {

namespace {

/// Rows of one step: some milliseconds of work.
constexpr std::int64_t step = 500;

} // namespace

bool engine::sweep(unix_ms replays_before) {
  const bool more_replays = sweep_replays(replays_before);
  const bool more_trash = sweep_trash();
  return more_replays || more_trash;
}

/// Ids ascend with time, so the oldest come first.
bool engine::sweep_replays(unix_ms before) {
  {
    auto rows = db_.query("SELECT at FROM replays ORDER BY id LIMIT 1");
    if (!rows.next() || rows.integer(0) >= before)
      return false;
  }
  transaction all{db_};
  db_.run("DELETE FROM replays WHERE id IN (SELECT id FROM "
          "(SELECT id, at FROM replays ORDER BY id LIMIT ?) WHERE at < ?)",
          step, before);
  all.commit();
  auto rows = db_.query("SELECT at FROM replays ORDER BY id LIMIT 1");
  return rows.next() && rows.integer(0) < before;
}

bool engine::sweep_trash() {
  std::int64_t thread = 0;
  std::int64_t newest_replay = 0;
  {
    auto rows = db_.query("SELECT id, last_replay FROM threads "
                          "WHERE tenant = '' AND name >= 'trash:' AND name < 'trash;' LIMIT 1");
    if (!rows.next())
      return false;
    thread = rows.integer(0);
    newest_replay = rows.integer(1);
  }
  transaction all{db_};
  bool empty = sweep_replays_of(thread, newest_replay);
  for (const std::string_view sql :
       {"DELETE FROM messages WHERE id IN "
        "(SELECT id FROM messages WHERE id BETWEEN ? AND ? LIMIT ?) RETURNING 1",
        "DELETE FROM superseded WHERE id IN "
        "(SELECT id FROM superseded WHERE id BETWEEN ? AND ? LIMIT ?) RETURNING 1",
        "DELETE FROM instructions WHERE id IN "
        "(SELECT id FROM instructions WHERE id BETWEEN ? AND ? LIMIT ?) RETURNING 1"}) {
    auto rows = db_.query(sql, first_id(thread), last_id(thread), step);
    std::int64_t deleted = 0;
    while (rows.next())
      ++deleted;
    empty = empty && deleted < step;
  }
  if (empty)
    db_.run("DELETE FROM threads WHERE id = ?", thread);
  all.commit();
  return true;
}

/// Removes the newest part of a thread's chain of replays. True: nothing is left of it.
bool engine::sweep_replays_of(std::int64_t thread, std::int64_t newest) {
  auto next = newest;
  for (std::int64_t i = 0; i < step && next != 0; ++i) {
    std::int64_t previous = 0;
    {
      auto rows = db_.query("SELECT thread, previous FROM replays WHERE id = ?", next);
      if (rows.next() && rows.integer(0) == thread && rows.integer(1) < next)
        previous = rows.integer(1);
      else
        break; // the rest is swept already
    }
    db_.run("DELETE FROM replays WHERE id = ?", next);
    next = previous;
    if (next == 0)
      return true;
  }
  db_.run("UPDATE threads SET last_replay = ? WHERE id = ?", next, thread);
  auto rows = db_.query("SELECT 1 FROM replays WHERE id = ? AND thread = ?", next, thread);
  return !rows.next();
}

} // namespace lang_agent::store::sqlite
