#include "server/storage.hpp"

#include "store/memory_store.hpp"
#include "store/sqlite_store.hpp"

namespace lang_agent {

std::filesystem::path database_file(const store_settings& x) {
  return std::filesystem::path{x.data_dir} / "lang-agent.db";
}

std::unique_ptr<store::thread_store> open_store(const store_settings& x) {
  if (x.engine == store_engine::memory)
    return std::make_unique<store::memory_store>();
  const auto durability =
      x.durability == commit_durability::full ? store::durability::full : store::durability::os;
  return store::open_sqlite_store(database_file(x), durability);
}

} // namespace lang_agent
