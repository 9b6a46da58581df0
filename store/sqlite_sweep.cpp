#include "store/sqlite_engine.hpp"

#include <chrono>
#include <utility>

namespace lang_agent::store::sqlite {

namespace {

/// One step ends after so many rows or so much time, whichever comes first: rows differ in size.
constexpr std::int64_t step_rows = 500;
constexpr std::chrono::milliseconds step_time{5};

class step {
public:
  /// Counts a row. False: that was the last one of this step.
  bool go_on() {
    return ++rows_ < step_rows && std::chrono::steady_clock::now() < end_;
  }

private:
  std::int64_t rows_ = 0;
  std::chrono::steady_clock::time_point end_ = std::chrono::steady_clock::now() + step_time;
};

} // namespace

bool engine::sweep(unix_ms replays_before) {
  count_turns();
  const bool more_replays = sweep_replays(replays_before);
  const bool more_trash = sweep_trash();
  const bool more = more_replays || more_trash;
  if (!more && !std::exchange(in_use_, false))
    db_.release_memory(); // a store at rest needs no page cache
  return more;
}

/// Ids ascend with time, so the oldest come first.
bool engine::sweep_replays(unix_ms before) {
  const auto oldest = [&]() -> std::int64_t {
    auto rows = db_.query("SELECT id, at FROM replays ORDER BY id LIMIT 1");
    return rows.next() && rows.integer(1) < before ? rows.integer(0) : 0;
  };
  auto id = oldest();
  if (id == 0)
    return false;
  transaction all{db_};
  step now;
  do {
    db_.run("DELETE FROM replays WHERE id = ?", id);
    id = oldest();
  } while (id != 0 && now.go_on());
  all.commit();
  return id != 0;
}

bool engine::sweep_trash() {
  std::int64_t thread = 0;
  std::int64_t replay = 0;
  {
    auto rows = db_.query("SELECT id, last_replay FROM threads "
                          "WHERE tenant = '' AND name >= 'trash:' AND name < 'trash;' LIMIT 1");
    if (!rows.next())
      return false;
    thread = rows.integer(0);
    replay = rows.integer(1);
  }
  {
    transaction all{db_};
    step now;
    bool in_time = true;
    while (in_time && (replay = remove_replay(thread, replay)) != 0)
      in_time = now.go_on();
    while (in_time && remove_message(thread))
      in_time = now.go_on();
    if (in_time)
      db_.run("DELETE FROM threads WHERE id = ?", thread);
    else
      db_.run("UPDATE threads SET last_replay = ? WHERE id = ?", replay, thread);
    all.commit();
  }
  {
    auto rows = db_.query("SELECT 1 FROM threads "
                          "WHERE tenant = '' AND name >= 'trash:' AND name < 'trash;' LIMIT 1");
    if (rows.next())
      return true;
  }
  // What was deleted is in the log, too.
  db_.run("PRAGMA wal_checkpoint(TRUNCATE)");
  return false;
}

/// Takes the newest one off a thread's chain of replays; returns the next one, 0 at the end. The
/// end may have been swept, and its numbers used again.
std::int64_t engine::remove_replay(std::int64_t thread, std::int64_t newest) {
  std::int64_t previous = 0;
  {
    auto rows = db_.query("SELECT thread, previous FROM replays WHERE id = ?", newest);
    if (!rows.next() || rows.integer(0) != thread)
      return 0;
    previous = rows.integer(1);
  }
  db_.run("DELETE FROM replays WHERE id = ?", newest);
  return previous < newest ? previous : 0;
}

/// One message of whatever kind. False: there is none left.
bool engine::remove_message(std::int64_t thread) {
  constexpr sql removals[] = {
      "DELETE FROM messages WHERE id = "
      "(SELECT id FROM messages WHERE id BETWEEN ? AND ? LIMIT 1) RETURNING 1",
      "DELETE FROM superseded WHERE id = "
      "(SELECT id FROM superseded WHERE id BETWEEN ? AND ? LIMIT 1) RETURNING 1",
      "DELETE FROM instructions WHERE id = "
      "(SELECT id FROM instructions WHERE id BETWEEN ? AND ? LIMIT 1) RETURNING 1"};
  for (const auto removal : removals) {
    auto rows = db_.query(removal, first_id(thread), last_id(thread));
    if (rows.next())
      return true;
  }
  return false;
}

} // namespace lang_agent::store::sqlite
