/// Threads in one SQLite file (https://sqlite.org). Survives crashes; one process at a time.
#pragma once

#include "store/thread_store.hpp"

#include <filesystem>
#include <memory>

namespace lang_agent::store {

enum class durability : std::uint8_t {
  full, ///< a commit survives the loss of power
  os,   ///< a commit survives the death of the process
};

/// Opens or creates the file, and locks it until the store ends. Throws `storage_error` that tells
/// what to do: no access, no database, written by a newer version, in use by another process.
std::unique_ptr<thread_store> open_sqlite_store(const std::filesystem::path& file,
                                                durability durable);

} // namespace lang_agent::store
