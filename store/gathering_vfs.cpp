#include "store/gathering_vfs.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace lang_agent::store::sqlite {

namespace {

/// What one write takes at most: the largest page there is, or some fifteen of ours. SQLite's own
/// file system cannot write 128 KiB at once.
constexpr std::size_t max_gathered = 64 * 1024;
/// The size of a frame's header; nothing else in a log is written in this size.
/// Source: https://sqlite.org/fileformat2.html#the_write_ahead_log
constexpr std::size_t frame_header = 24;

sqlite3_vfs* system_vfs = nullptr;

/// A log as SQLite sees it. SQLite allocates it, the system's file right behind it.
struct log_file {
  sqlite3_file base;
  char* gathered;       ///< what is held back, `size` bytes
  std::size_t size;     ///< 0: nothing is held back
  sqlite3_int64 offset; ///< where it belongs in the file; -1: unknown, after an error
  bool commits;         ///< the frame that is being written is the last one of its transaction

  sqlite3_file* file() {
    return reinterpret_cast<sqlite3_file*>(this + 1);
  }

  /// Nothing is held back afterwards, whether this succeeds or not.
  int flush() {
    return size == 0 ? SQLITE_OK : put(gathered, size, offset);
  }

  int put(const void* data, std::size_t count, sqlite3_int64 at) {
    const int code = file()->pMethods->xWrite(file(), data, static_cast<int>(count), at);
    size = 0;
    offset = code == SQLITE_OK ? at + static_cast<sqlite3_int64>(count) : -1;
    return code;
  }

  int write(const char* data, std::size_t count, sqlite3_int64 at) {
    const bool is_header = count == frame_header;
    if (is_header)
      commits = std::any_of(data + 4, data + 8, [](char x) { return x != 0; });
    const bool goes_on = offset + static_cast<sqlite3_int64>(size) == at;
    if (!goes_on || size + count > max_gathered) {
      if (const int code = flush(); code != SQLITE_OK)
        return code;
    }
    // A header that is written anew, with another checksum, has no page behind it to wait for.
    if (!goes_on || count > max_gathered)
      return put(data, count, at);
    std::memcpy(gathered + size, data, count);
    size += count;
    return commits && !is_header ? flush() : SQLITE_OK;
  }
};

log_file& log_of(sqlite3_file* x) {
  return *reinterpret_cast<log_file*>(x);
}

template <auto Method, class... Args>
int pass_on(sqlite3_file* x, Args... args) {
  auto* file = log_of(x).file();
  return (file->pMethods->*Method)(file, args...);
}

/// For what depends on the file's content.
template <auto Method, class... Args>
int pass_on_flushed(sqlite3_file* x, Args... args) {
  const int code = log_of(x).flush();
  return code == SQLITE_OK ? pass_on<Method>(x, args...) : code;
}

/// What is still held back was not committed.
int close(sqlite3_file* x) {
  sqlite3_free(log_of(x).gathered);
  return pass_on<&sqlite3_io_methods::xClose>(x);
}

int write(sqlite3_file* x, const void* data, int size, sqlite3_int64 at) {
  return log_of(x).write(static_cast<const char*>(data), static_cast<std::size_t>(size), at);
}

/// Version 1: logs are not mapped into memory.
const sqlite3_io_methods* log_methods() {
  using io = sqlite3_io_methods;
  static const io methods = [] {
    io out{};
    out.iVersion = 1;
    out.xClose = close;
    out.xWrite = write;
    out.xRead = pass_on_flushed<&io::xRead>;
    out.xTruncate = pass_on_flushed<&io::xTruncate>;
    out.xSync = pass_on_flushed<&io::xSync>;
    out.xFileSize = pass_on_flushed<&io::xFileSize>;
    out.xLock = pass_on<&io::xLock>;
    out.xUnlock = pass_on<&io::xUnlock>;
    out.xCheckReservedLock = pass_on<&io::xCheckReservedLock>;
    out.xFileControl = pass_on_flushed<&io::xFileControl>;
    out.xSectorSize = pass_on<&io::xSectorSize>;
    out.xDeviceCharacteristics = pass_on<&io::xDeviceCharacteristics>;
    return out;
  }();
  return &methods;
}

int open(sqlite3_vfs*, const char* name, sqlite3_file* x, int flags, int* out_flags) {
  if ((flags & SQLITE_OPEN_WAL) == 0)
    return system_vfs->xOpen(system_vfs, name, x, flags, out_flags);
  auto& log = log_of(x);
  log = {};
  const int code = system_vfs->xOpen(system_vfs, name, log.file(), flags, out_flags);
  if (code != SQLITE_OK)
    return code;
  log.base.pMethods = log_methods();
  log.gathered = static_cast<char*>(sqlite3_malloc(max_gathered));
  return log.gathered ? SQLITE_OK : SQLITE_NOMEM;
}

} // namespace

const char* gathering_vfs() {
  static sqlite3_vfs vfs = [] {
    system_vfs = sqlite3_vfs_find(nullptr);
    auto out = *system_vfs;
    out.zName = "lang-agent";
    out.szOsFile += static_cast<int>(sizeof(log_file));
    out.xOpen = open;
    return out;
  }();
  static const int code = sqlite3_vfs_register(&vfs, 0);
  static_cast<void>(code); // an unknown name fails the opening
  return vfs.zName;
}

} // namespace lang_agent::store::sqlite
