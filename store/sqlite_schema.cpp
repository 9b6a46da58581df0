#include "store/sqlite_schema.hpp"

#include "store/thread_store.hpp"

#include <array>

namespace lang_agent::store::sqlite {

namespace {

/// "LAgt": tells our files from other programs' (PRAGMA application_id).
constexpr std::int64_t application_id = 0x4c416774;

/// Messages have the key (thread << 24) + number: those of a thread lie together, in order, and one
/// range scan loads them.
std::string message_table(const std::string& name) {
  return "CREATE TABLE " + name + R"sql( (
  id INTEGER PRIMARY KEY,
  created INTEGER NOT NULL,
  role INTEGER NOT NULL,
  tokens INTEGER NOT NULL,
  empty INTEGER NOT NULL,
  digest BLOB NOT NULL,
  calls TEXT,
  answers TEXT,
  reasoning TEXT,
  json TEXT NOT NULL
) STRICT;
)sql";
}

/// `messages` holds live ones only, so that superseded ones cost a load nothing. Replays form a
/// chain per thread, newest first: no index has to be kept for them, except for those few with a
/// key. The tenant '' holds what no client sees: "trash:ID" and "import:NAME".
std::string version_1() {
  return R"sql(
CREATE TABLE threads (
  id INTEGER PRIMARY KEY,
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL DEFAULT 0,
  created INTEGER NOT NULL DEFAULT 0,
  updated INTEGER NOT NULL DEFAULT 0,
  turns INTEGER NOT NULL DEFAULT 0,
  messages INTEGER NOT NULL DEFAULT 0,
  tokens INTEGER NOT NULL DEFAULT 0,
  last_number INTEGER NOT NULL DEFAULT 0,
  last_replay INTEGER NOT NULL DEFAULT 0,
  metadata TEXT,
  UNIQUE (tenant, name)
) STRICT;
CREATE INDEX threads_of_tenant ON threads (tenant);

CREATE TABLE replays (
  id INTEGER PRIMARY KEY,
  thread INTEGER NOT NULL,
  previous INTEGER NOT NULL,
  at INTEGER NOT NULL,
  request BLOB NOT NULL,
  key TEXT,
  answer TEXT NOT NULL
) STRICT;
CREATE INDEX replays_by_key ON replays (key) WHERE key IS NOT NULL;
)sql" + message_table("messages")
         + message_table("superseded") + message_table("instructions");
}

/// The n-th one leads from version n to version n + 1.
constexpr std::array migrations{&version_1};
constexpr auto newest = static_cast<std::int64_t>(migrations.size());

std::int64_t read_number(database& db, sql question) {
  auto rows = db.query(question);
  return rows.next() ? rows.integer(0) : 0;
}

} // namespace

void check_owner(database& db) {
  const auto owner = read_number(db, "PRAGMA application_id");
  const auto tables = read_number(db, "SELECT count(*) FROM sqlite_schema");
  if (owner != application_id && (owner != 0 || tables != 0))
    throw storage_error{"the database belongs to another program; choose another data_dir"};
  const auto version = read_number(db, "PRAGMA user_version");
  if (version > newest)
    throw storage_error{"the database was written by a newer lang-agent (schema "
                        + std::to_string(version) + ", this one knows up to "
                        + std::to_string(newest) + "); run that one, or choose another data_dir"};
}

void migrate(database& db) {
  const auto version = read_number(db, "PRAGMA user_version");
  if (version == newest)
    return;
  transaction all{db};
  for (auto i = version; i < newest; ++i)
    db.execute(migrations[static_cast<std::size_t>(i)]());
  db.execute("PRAGMA application_id = " + std::to_string(application_id)
             + "; PRAGMA user_version = " + std::to_string(newest));
  all.commit();
}

} // namespace lang_agent::store::sqlite
