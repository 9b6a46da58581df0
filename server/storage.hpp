/// The store that a config names.
#pragma once

#include "config/settings.hpp"
#include "store/thread_store.hpp"

#include <filesystem>
#include <memory>

namespace lang_agent {

/// The database inside `data_dir`.
std::filesystem::path database_file(const store_settings& x);

/// Throws `store::storage_error`.
std::unique_ptr<store::thread_store> open_store(const store_settings& x);

} // namespace lang_agent
