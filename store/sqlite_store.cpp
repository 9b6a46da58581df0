#include "store/sqlite_store.hpp"

#include "store/sqlite_engine.hpp"
#include "store/sqlite_schema.hpp"

#include <sys/stat.h>

namespace lang_agent::store {

namespace sqlite {

namespace {

/// Settings of the connection and of the file.
void configure(database& db, durability durable) {
  auto mode = db.query("PRAGMA journal_mode = WAL");
  if (!mode.next() || mode.bytes(0) != "wal")
    throw storage_error{"the database's file system does not support a write-ahead log"};
  db.execute(durable == durability::full ? "PRAGMA synchronous = FULL"
                                         : "PRAGMA synchronous = NORMAL");
  db.execute("PRAGMA cache_size = -8192;"        // KiB
             "PRAGMA wal_autocheckpoint = 4096;" // pages
             "PRAGMA journal_size_limit = 67108864;"
             "PRAGMA secure_delete = ON;"
             "PRAGMA temp_store = MEMORY");
}

std::int64_t highest_thread(database& db) {
  auto rows = db.query("SELECT max(id) FROM threads");
  return rows.next() ? rows.integer(0) : 0;
}

} // namespace

engine::engine(const std::filesystem::path& file, durability durable) : db_(file) {
  if (db_.is_read_only())
    throw storage_error{"database " + file.string()
                        + ": it is read-only; check the permissions of the file and its directory"};
  // The lock is held until the store ends, which also keeps the index of the write-ahead log out of
  // shared memory.
  db_.execute("PRAGMA locking_mode = EXCLUSIVE");
  check_owner(db_);
  configure(db_, durable);
  migrate(db_);
  last_thread_ = highest_thread(db_);
  find_uncounted_turns();
  // Imports that a crash left behind are nobody's any more.
  db_.run("UPDATE threads SET name = 'trash:' || id "
          "WHERE tenant = '' AND name >= 'import:' AND name < 'import;'");
}

std::vector<change_result> engine::commit(std::span<const store_change> changes) {
  std::vector<change_result> out;
  out.reserve(changes.size());
  in_use_ = true;
  transact([&] {
    for (const auto& change : changes)
      out.push_back(std::visit([this](const auto& x) { return on(x); }, change));
  });
  return out;
}

query_result engine::ask(const store_query& query) {
  return std::visit([this](const auto& x) { return on(x); }, query);
}

} // namespace sqlite

std::unique_ptr<thread_store> open_sqlite_store(const std::filesystem::path& file,
                                                durability durable) {
  namespace fs = std::filesystem;
  std::error_code error;
  const auto directory = file.parent_path();
  if (!directory.empty() && fs::create_directories(directory, error))
    fs::permissions(directory, fs::perms::owner_all, error);
  if (error)
    throw storage_error{"cannot create the directory " + directory.string() + ": "
                        + error.message()};
  // Conversations are nobody else's business. SQLite gives its log the permissions of the file.
  const auto mask = umask(077);
  try {
    auto out = std::make_unique<sqlite::engine>(file, durable);
    umask(mask);
    return out;
  } catch (...) {
    umask(mask);
    throw;
  }
}

} // namespace lang_agent::store
