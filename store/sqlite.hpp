/// SQLite with C++ manners: handles that close themselves, errors that are exceptions. Private to
/// store/. Source: https://sqlite.org/c3ref/intro.html
#pragma once

#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace lang_agent::store::sqlite {

/// The text of a statement: a literal, so that its address tells it from all others.
class sql {
public:
  template <std::size_t Size>
  consteval sql(const char (&text)[Size]) : text_(text), size_(Size) {}

  const char* text() const {
    return text_;
  }

  /// With the zero at the end.
  int size() const {
    return static_cast<int>(size_);
  }

private:
  const char* text_;
  std::size_t size_;
};

/// Bytes to bind as a blob.
struct blob {
  std::string_view bytes;
};

/// A text to bind, an empty one as NULL.
struct nullable {
  std::string_view text;
};

/// A text to bind, an unset one as NULL.
struct optional_text {
  const std::optional<std::string>& text;
};

/// The rows of one execution of a statement. Its end makes the statement free for the next.
class cursor {
public:
  explicit cursor(sqlite3_stmt* statement) : statement_(statement) {}
  ~cursor();

  cursor(cursor&& other) noexcept : statement_(std::exchange(other.statement_, nullptr)) {}
  cursor(const cursor&) = delete;
  cursor& operator=(const cursor&) = delete;
  cursor& operator=(cursor&&) = delete;

  /// False: there are no more rows. Throws `storage_error`.
  bool next();

  std::int64_t integer(int column) const {
    return sqlite3_column_int64(statement_, column);
  }

  std::uint64_t natural(int column) const {
    return static_cast<std::uint64_t>(integer(column));
  }

  /// Text or blob, valid until the next row; empty for NULL.
  std::string_view bytes(int column) const;

private:
  sqlite3_stmt* statement_;
};

/// One open database file. Prepares each statement once. Not thread-safe.
class database {
public:
  /// Creates the file if there is none. Throws `storage_error`.
  explicit database(const std::filesystem::path& file);

  /// Runs a statement. Arguments, one for each of its parameters, are integers,
  /// `std::string_view` (text; what it points to must outlive the cursor), `nullable`,
  /// `optional_text` or `blob`.
  template <class... Args>
  cursor query(sql what, const Args&... args) {
    auto* statement = prepared(what);
    int index = 0;
    (bind(statement, ++index, args), ...);
    return cursor{statement};
  }

  /// The same for a statement without rows of interest.
  template <class... Args>
  void run(sql what, const Args&... args) {
    auto rows = query(what, args...);
    while (rows.next()) {
    }
  }

  /// Any number of statements, not kept.
  void execute(const std::string& script);

  std::int64_t last_id() const {
    return sqlite3_last_insert_rowid(handle_.get());
  }

  bool is_read_only() const {
    return sqlite3_db_readonly(handle_.get(), "main") == 1;
  }

  /// Gives back the memory of the page cache.
  void release_memory() noexcept {
    sqlite3_db_release_memory(handle_.get());
  }

  /// Rolls back a transaction that is open, if any.
  void roll_back() noexcept;

private:
  struct closer {
    void operator()(sqlite3* x) const {
      sqlite3_close_v2(x);
    }
  };
  struct finalizer {
    void operator()(sqlite3_stmt* x) const {
      sqlite3_finalize(x);
    }
  };

  sqlite3_stmt* prepared(sql what);
  void bind(sqlite3_stmt* statement, int index, std::int64_t x);
  void bind(sqlite3_stmt* statement, int index, std::string_view x);
  void bind(sqlite3_stmt* statement, int index, nullable x);
  void bind(sqlite3_stmt* statement, int index, optional_text x);
  void bind_null(sqlite3_stmt* statement, int index);
  void bind(sqlite3_stmt* statement, int index, blob x);

  std::unique_ptr<sqlite3, closer> handle_;
  std::unordered_map<const char*, std::unique_ptr<sqlite3_stmt, finalizer>> statements_;
};

/// A write transaction; rolled back unless committed.
class transaction {
public:
  explicit transaction(database& db) : db_(db) {
    db_.run("BEGIN IMMEDIATE");
  }
  ~transaction() {
    if (!committed_)
      db_.roll_back();
  }

  transaction(const transaction&) = delete;
  transaction& operator=(const transaction&) = delete;

  void commit() {
    db_.run("COMMIT");
    committed_ = true;
  }

private:
  database& db_;
  bool committed_ = false;
};

} // namespace lang_agent::store::sqlite
