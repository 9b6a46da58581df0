#include "store/sqlite.hpp"

#include "store/gathering_vfs.hpp"
#include "store/thread_store.hpp"

namespace lang_agent::store::sqlite {

namespace {

/// What a person can do about it, where there is something.
std::string advice(int code) {
  switch (code & 0xff) {
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
    return "; it is in use by another process: stop that one, or choose another data_dir";
  case SQLITE_READONLY:
  case SQLITE_PERM:
    return "; check the permissions of the file and its directory";
  case SQLITE_CANTOPEN:
    return "; check that its directory exists and can be written";
  case SQLITE_FULL:
    return "; free some space on its disk";
  case SQLITE_NOTADB:
  case SQLITE_CORRUPT:
    return "; restore it from a backup, or move it away to start with an empty one";
  default:
    return {};
  }
}

[[noreturn]] void fail(sqlite3* db) {
  const auto code = sqlite3_extended_errcode(db);
  const auto* name = sqlite3_db_filename(db, "main");
  throw storage_error{"database " + std::string{name ? name : ""} + ": " + sqlite3_errmsg(db)
                      + " (code " + std::to_string(code) + ")" + advice(code)};
}

/// Settings of the library, which it takes before it is used for the first time.
void configure_library() {
  // Without statistics of memory, allocations take no lock.
  static const int code = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  static_cast<void>(code); // a program that used the library before goes on as it was
}

} // namespace

cursor::~cursor() {
  // What is bound may end now: the next run binds all parameters anew.
  if (statement_ != nullptr)
    sqlite3_reset(statement_);
}

bool cursor::next() {
  switch (sqlite3_step(statement_)) {
  case SQLITE_ROW:
    return true;
  case SQLITE_DONE:
    return false;
  default:
    fail(sqlite3_db_handle(statement_));
  }
}

std::string_view cursor::bytes(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  return {data, data ? static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)) : 0};
}

database::database(const std::filesystem::path& file) {
  configure_library();
  sqlite3* handle = nullptr;
  constexpr int flags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const auto code = sqlite3_open_v2(file.c_str(), &handle, flags, gathering_vfs());
  handle_.reset(handle);
  if (code != SQLITE_OK)
    throw storage_error{"database " + file.string() + ": " + sqlite3_errstr(code) + advice(code)};
}

void database::execute(const std::string& script) {
  if (sqlite3_exec(handle_.get(), script.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
    fail(handle_.get());
}

void database::roll_back() noexcept {
  // Some errors have rolled back already.
  if (sqlite3_get_autocommit(handle_.get()) == 0)
    sqlite3_exec(handle_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

sqlite3_stmt* database::prepared(sql what) {
  auto& statement = statements_[what.text()];
  if (!statement) {
    sqlite3_stmt* made = nullptr;
    if (sqlite3_prepare_v3(handle_.get(), what.text(), what.size(), SQLITE_PREPARE_PERSISTENT,
                           &made, nullptr)
        != SQLITE_OK)
      fail(handle_.get());
    statement.reset(made);
  }
  return statement.get();
}

void database::bind(sqlite3_stmt* statement, int index, std::int64_t x) {
  if (sqlite3_bind_int64(statement, index, x) != SQLITE_OK)
    fail(handle_.get());
}

void database::bind(sqlite3_stmt* statement, int index, std::string_view x) {
  if (sqlite3_bind_text64(statement, index, x.data() ? x.data() : "", x.size(), SQLITE_STATIC,
                          SQLITE_UTF8)
      != SQLITE_OK)
    fail(handle_.get());
}

void database::bind(sqlite3_stmt* statement, int index, blob x) {
  if (sqlite3_bind_blob64(statement, index, x.bytes.data(), x.bytes.size(), SQLITE_STATIC)
      != SQLITE_OK)
    fail(handle_.get());
}

void database::bind(sqlite3_stmt* statement, int index, nullable x) {
  if (x.text.empty())
    bind_null(statement, index);
  else
    bind(statement, index, x.text);
}

void database::bind(sqlite3_stmt* statement, int index, optional_text x) {
  if (x.text)
    bind(statement, index, std::string_view{*x.text});
  else
    bind_null(statement, index);
}

void database::bind_null(sqlite3_stmt* statement, int index) {
  if (sqlite3_bind_null(statement, index) != SQLITE_OK)
    fail(handle_.get());
}

} // namespace lang_agent::store::sqlite
