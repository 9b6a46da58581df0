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

/// Accounts, usage, and what tenants have in the store. `usage` is in order of days: what is
/// written today lies together, on few pages. A replay tells what its turn added to the totals.
std::string version_2() {
  return R"sql(
CREATE TABLE tenants (
  id TEXT PRIMARY KEY,
  settings TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE keys (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  digest BLOB NOT NULL UNIQUE,
  label TEXT NOT NULL,
  hint TEXT NOT NULL,
  created INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  disabled INTEGER NOT NULL,
  last_used INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
  number INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  who TEXT NOT NULL,
  action TEXT NOT NULL,
  object TEXT NOT NULL,
  detail TEXT NOT NULL,
  tenant TEXT NOT NULL
) STRICT;
CREATE INDEX audit_of_object ON audit (object);
CREATE INDEX audit_of_tenant ON audit (tenant);

CREATE TABLE usage (
  day INTEGER NOT NULL,
  tenant TEXT NOT NULL,
  key TEXT NOT NULL,
  model TEXT NOT NULL,
  requests INTEGER NOT NULL,
  estimated INTEGER NOT NULL,
  cancelled INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  prompt_tokens INTEGER NOT NULL,
  completion_tokens INTEGER NOT NULL,
  cost INTEGER NOT NULL,
  PRIMARY KEY (day, tenant, key, model)
) STRICT, WITHOUT ROWID;

-- Totals lack the turns whose answers come after that one.
CREATE TABLE counted (replay INTEGER NOT NULL) STRICT;
INSERT INTO counted SELECT coalesce(max(id), 0) FROM replays;
ALTER TABLE replays ADD COLUMN new_thread INTEGER NOT NULL DEFAULT 0;
ALTER TABLE replays ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;

CREATE TABLE totals (
  tenant TEXT PRIMARY KEY,
  threads INTEGER NOT NULL,
  bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE threads ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
UPDATE threads SET bytes =
  (SELECT coalesce(sum(length(CAST(json AS BLOB)) + coalesce(length(CAST(reasoning AS BLOB)), 0)), 0)
   FROM messages WHERE messages.id BETWEEN threads.id << 24 AND (threads.id << 24) + 16777215) +
  (SELECT coalesce(sum(length(CAST(json AS BLOB)) + coalesce(length(CAST(reasoning AS BLOB)), 0)), 0)
   FROM superseded WHERE superseded.id BETWEEN threads.id << 24 AND (threads.id << 24) + 16777215);
INSERT INTO totals SELECT tenant, count(*), sum(bytes) FROM threads WHERE tenant <> '' GROUP BY tenant;
)sql";
}

/// Keys with limits of their own; a replay tells what its turn used, too; instructions count as
/// bytes of their thread.
std::string version_3() {
  return R"sql(
ALTER TABLE keys ADD COLUMN limits TEXT NOT NULL DEFAULT '';
ALTER TABLE replays ADD COLUMN usage TEXT;

UPDATE threads SET bytes = bytes + sums.more FROM
  (SELECT id >> 24 AS thread,
     sum(length(CAST(json AS BLOB)) + coalesce(length(CAST(reasoning AS BLOB)), 0)) AS more
   FROM instructions GROUP BY thread) AS sums
  WHERE threads.id = sums.thread;
DELETE FROM totals;
INSERT INTO totals SELECT tenant, count(*), sum(bytes) FROM threads WHERE tenant <> '' GROUP BY tenant;
UPDATE counted SET replay = max(replay, (SELECT coalesce(max(id), 0) FROM replays));
)sql";
}

/// The n-th one leads from version n to version n + 1.
constexpr std::array migrations{&version_1, &version_2, &version_3};
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
