/// What only the SQLite engine does: its file.
#define CAF_SUITE sqlite_store
#include "tests/store/contract.hpp"

#include "store/sqlite.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>

using namespace lang_agent;
using namespace lang_agent::test;
namespace fs = std::filesystem;

namespace {

const std::string secret = "correct horse battery staple";

/// As the first version wrote it: alice has two threads (one with a superseded message, reasoning,
/// an umlaut and a zero), bob an empty one; an import and a deleted thread are nobody's.
const std::string version_1_file = [] {
  const auto messages = [](const std::string& table) {
    return "CREATE TABLE " + table
           + " (id INTEGER PRIMARY KEY, created INTEGER NOT NULL, role INTEGER NOT NULL, tokens "
             "INTEGER NOT NULL, empty INTEGER NOT NULL, digest BLOB NOT NULL, calls TEXT, answers "
             "TEXT, reasoning TEXT, json TEXT NOT NULL) STRICT;";
  };
  const auto message = [](const std::string& table, int thread, int number,
                          const std::string& rest) {
    return "INSERT INTO " + table + " VALUES ((" + std::to_string(thread) + " << 24) + "
           + std::to_string(number) + ", 5, 2, 1, 0, zeroblob(16), NULL, NULL, " + rest + ");";
  };
  return "PRAGMA journal_mode = WAL;"
         "CREATE TABLE threads (id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, name TEXT NOT NULL, "
         "version INTEGER NOT NULL DEFAULT 0, created INTEGER NOT NULL DEFAULT 0, updated INTEGER "
         "NOT NULL DEFAULT 0, turns INTEGER NOT NULL DEFAULT 0, messages INTEGER NOT NULL DEFAULT "
         "0, tokens INTEGER NOT NULL DEFAULT 0, last_number INTEGER NOT NULL DEFAULT 0, "
         "last_replay INTEGER NOT NULL DEFAULT 0, metadata TEXT, UNIQUE (tenant, name)) STRICT;"
         "CREATE INDEX threads_of_tenant ON threads (tenant);"
         "CREATE TABLE replays (id INTEGER PRIMARY KEY, thread INTEGER NOT NULL, previous INTEGER "
         "NOT NULL, at INTEGER NOT NULL, request BLOB NOT NULL, key TEXT, answer TEXT NOT NULL) "
         "STRICT;"
         "CREATE INDEX replays_by_key ON replays (key) WHERE key IS NOT NULL;"
         + messages("messages") + messages("superseded") + messages("instructions")
         + "INSERT INTO threads VALUES (1, 'alice', '1', 3, 5, 5, 2, 2, 2, 3, 0, NULL),"
           "(2, 'alice', '2', 1, 5, 5, 1, 1, 1, 1, 0, '1:a1:b'),"
           "(3, 'bob', '1', 1, 5, 5, 0, 0, 0, 0, 0, NULL),"
           "(4, '', 'trash:4', 1, 5, 5, 0, 1, 1, 1, 0, NULL),"
           "(5, '', 'import:x', 0, 5, 5, 0, 1, 1, 1, 0, NULL);"
         + message("messages", 1, 1, "NULL, '{}'") + message("messages", 1, 3, "'\"ä\"', '{}'")
         + message("superseded", 1, 2, "NULL, '{\"a\":1}' || char(0) || ' '")
         + message("messages", 2, 1, "NULL, '{\"a\":1}'") + message("messages", 4, 1, "NULL, '{}'")
         + message("messages", 5, 1, "NULL, '{}'") + message("instructions", 1, 1, "NULL, '{}'")
         + "PRAGMA application_id = 1279354740; PRAGMA user_version = 1";
}();

/// A directory with a database.
struct sqlite_fixture {
  temporary_directory directory;
  fs::path file = directory.path() / "threads.db";
  std::unique_ptr<store::thread_store> store;

  void open() {
    store.reset();
    store = store::open_sqlite_store(file, store::durability::os);
  }

  /// Why it cannot be opened.
  std::string problem() {
    try {
      open();
      return "nothing";
    } catch (const store::storage_error& e) {
      return e.what();
    }
  }

  bool is_refused_because(const std::string& why) {
    const auto found = problem();
    if (found.find(why) == std::string::npos)
      CAF_ERROR("not refused because " << why << " but " << found);
    return found.find(why) != std::string::npos;
  }

  void make(const std::string& sql) const {
    store::sqlite::database{file}.execute(sql);
  }

  /// All files of the directory, as bytes.
  std::map<std::string, std::string> files() const {
    std::map<std::string, std::string> out;
    for (const auto& x : fs::directory_iterator{directory.path()}) {
      std::ifstream in{x.path(), std::ios::binary};
      out[x.path().filename().string()] = {std::istreambuf_iterator<char>{in}, {}};
    }
    return out;
  }

  /// The files that contain the text.
  std::string files_with(const std::string& text) const {
    std::string out;
    for (const auto& [name, bytes] : files())
      if (bytes.find(text) != std::string::npos)
        out += name + " ";
    return out;
  }

  void commit(const store_change& x) const {
    const auto result = store->commit({&x, 1}).at(0);
    if (const auto* why = std::get_if<refusal>(&result))
      CAF_FAIL(text_of(*why));
  }

  void sweep(unix_ms before = 0) const {
    for (int left = 1000; store->sweep(before);)
      if (--left == 0)
        CAF_FAIL("sweeping never ends");
  }

  /// A turn that has the secret in all its parts.
  turn_record secret_turn(const thread_key& key, std::size_t repeated) const {
    std::string text;
    for (std::size_t i = 0; i < repeated; ++i)
      text += secret + " ";
    const auto before = store->load(key, {});
    chat_message answer = *message("assistant", text);
    answer.reasoning = '"' + text + '"';
    answer.calls = {text};
    turn_record out{.key = key, .version = before.version, .keep = before.history.size()};
    out.instructions = message_list{message("system", text)};
    out.messages = {message("user", text), std::make_shared<const chat_message>(answer)};
    out.at = 1000;
    out.request = {1, before.version};
    out.idempotency_key = text + std::to_string(before.version);
    out.answer = text;
    return out;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(sqlite_store_tests, sqlite_fixture)

CAF_TEST(nothing of a deleted thread is left in the files) {
  const thread_key key{"alice", "thread " + secret};
  open();
  commit(turn_record{.key = bob, .messages = talk("u1 a1"), .at = 1000});
  for (const std::size_t repeated : {1, 10, 1000, 5}) // a long one fills pages of its own
    commit(secret_turn(key, repeated));
  auto edit = secret_turn(key, 3);
  edit.keep = 2;
  commit(edit);
  commit(change_metadata{key, {{"name", secret}}});
  CAF_REQUIRE(!files_with(secret).empty());
  commit(delete_thread{key});
  sweep();
  CAF_CHECK_EQUAL(files_with(secret), "");
  CAF_CHECK_EQUAL(words_of(store->load(bob, {}).history), "u1 a1");
  store.reset();
  CAF_CHECK_EQUAL(files_with(secret), "");
}

CAF_TEST(nothing of several deleted threads is left in the files) {
  open();
  commit(secret_turn(alice, 2));
  commit(fork_thread{alice, alice_2, {}, 2000});
  commit(import_messages{"i", {{0, 1, false, message("user", secret)}}});
  CAF_REQUIRE(!files_with(secret).empty());
  commit(delete_thread{alice});
  sweep();
  commit(delete_thread{alice_2});
  commit(discard_import{"i"});
  sweep();
  CAF_CHECK_EQUAL(files_with(secret), "");
}

CAF_TEST(nothing of an import that a crash left behind stays in the files) {
  open();
  commit(import_messages{"i", {{0, 1, false, message("user", secret)}}});
  open();
  sweep();
  CAF_CHECK_EQUAL(files_with(secret), "");
}

CAF_TEST(its files are for nobody else to read) {
  const auto mask = ::umask(0);
  file = directory.path() / "new" / "threads.db";
  open();
  commit(turn_record{.key = alice, .messages = talk("u1")});
  CAF_CHECK_EQUAL(::umask(mask), 0u); // it is as it was
  std::size_t count = 0;
  for (const auto& x : fs::directory_iterator{file.parent_path()}) {
    CAF_CHECK(x.status().permissions() == (fs::perms::owner_read | fs::perms::owner_write));
    ++count;
  }
  CAF_CHECK_GREATER_OR_EQUAL(count, 2u); // the database and its log
  CAF_CHECK(fs::status(file.parent_path()).permissions() == fs::perms::owner_all);
}

CAF_TEST(the database of another program is refused and stays as it was) {
  for (const auto* sql :
       {"CREATE TABLE notes (text); INSERT INTO notes VALUES ('mine')", "PRAGMA application_id = 7",
        "PRAGMA journal_mode = WAL; CREATE TABLE notes (text)",
        "PRAGMA application_id = 7; CREATE TABLE threads (id INTEGER PRIMARY KEY)"}) {
    make(sql);
    const auto before = files();
    CAF_CHECK(is_refused_because("the database belongs to another program"));
    CAF_CHECK(files() == before);
    fs::remove(file);
  }
}

CAF_TEST(the database of a newer version is refused and stays as it was) {
  open();
  commit(turn_record{.key = alice, .messages = talk("u1")});
  store.reset();
  make("PRAGMA user_version = 99");
  const auto before = files();
  CAF_CHECK(is_refused_because("written by a newer lang-agent (schema 99"));
  CAF_CHECK(files() == before);
  make("PRAGMA user_version = 3");
  open();
  CAF_CHECK_EQUAL(words_of(store->load(alice, {}).history), "u1");
}

CAF_TEST(a file of version 1 gets what tenants have from its threads) {
  make(version_1_file);
  open();
  // JSON and reasoning in bytes, not characters, and whatever follows a zero, too.
  CAF_CHECK_EQUAL(text_of(store->ask(read_totals{"alice"})),
                  text_of(tenant_totals{2, (2 + 2 + 4 + 9 + 2) + 7}));
  CAF_CHECK_EQUAL(text_of(store->ask(read_totals{"bob"})), text_of(tenant_totals{1, 0}));
  CAF_CHECK_EQUAL(text_of(store->ask(read_totals{""})), text_of(tenant_totals{}));
  const auto before = store->load(alice, {});
  CAF_CHECK_EQUAL(before.version, 3u);
  CAF_CHECK_EQUAL(before.history.size(), 2u);
  CAF_CHECK_EQUAL(text_of(store->ask(list_accounts{})), "accounts");
  // From here on all works as ever: each thread is taken off as it was counted.
  turn_record more{.key = alice, .version = 3, .keep = 1, .messages = talk("u1"), .at = 1000};
  more.usage = usage_row{{"alice", "k", "m", 1}, {.requests = 1}};
  commit(more);
  open();
  const auto json = talk("u1").front()->json.size();
  CAF_CHECK_EQUAL(text_of(store->ask(read_totals{"alice"})),
                  text_of(tenant_totals{2, 19 + 7 + json}));
  commit(delete_thread{alice});
  CAF_CHECK_EQUAL(text_of(store->ask(read_totals{"alice"})), text_of(tenant_totals{1, 7}));
  commit(delete_thread{alice_2});
  sweep();
  open();
  CAF_CHECK_EQUAL(text_of(store->ask(read_totals{"alice"})), text_of(tenant_totals{}));
  CAF_CHECK_EQUAL(std::get<page<usage_row>>(store->ask(read_usage{.last_day = 9})).data.size(), 1u);
}

CAF_TEST(what is no database is refused and stays as it was) {
  std::ofstream{file} << std::string(5000, 'x');
  const auto before = files();
  CAF_CHECK(is_refused_because("file is not a database"));
  CAF_CHECK(files() == before);
}

CAF_TEST(an empty file becomes a database) {
  std::ofstream{file}.flush();
  open();
  commit(turn_record{.key = alice, .messages = talk("u1")});
  open();
  CAF_CHECK_EQUAL(words_of(store->load(alice, {}).history), "u1");
}

CAF_TEST(a database that is in use is refused) {
  open();
  const auto first = std::move(store);
  CAF_CHECK(is_refused_because("in use by another process"));
  CAF_CHECK(!first->sweep(0));
}

CAF_TEST(a retry without a key is looked for among the newest answers) {
  open();
  const auto add = [&](std::uint64_t n, const std::string& answer) {
    turn_record turn{.key = alice, .version = n, .messages = talk("u1")};
    turn.request = {n == 0 ? 1u : 2u, 0};
    turn.answer = answer;
    return store_change{turn};
  };
  std::vector<store_change> changes{add(0, "first")};
  for (std::uint64_t n = 1; n < 1000; ++n)
    changes.push_back(add(n, "other"));
  store->commit(changes);
  CAF_CHECK_EQUAL(store->find_replay({alice, {1, 0}, "", 0}).answer, "first");
  commit(add(1000, "other"));
  CAF_CHECK_EQUAL(store->find_replay({alice, {1, 0}, "", 0}).answer, "");
  CAF_CHECK_EQUAL(store->find_replay({alice, {2, 0}, "", 0}).answer, "other");
}

CAF_TEST(totals and usage are right at every start whatever was written of them) {
  open();
  std::uint64_t bytes = 0;
  usage_counts used;
  const auto turn = [&](std::uint64_t n) {
    turn_record out{.key = {"alice", std::to_string(n % 7)}, .version = n / 7, .at = 1000};
    out.messages = {message("user", std::string(n % 50, 'u'))};
    out.answer = n % 13 == 0 ? "" : "answer";
    const auto model = "model\0" + std::to_string(n % 3);
    out.usage = usage_row{{"alice", "key", model, 1}, {.requests = 1, .prompt_tokens = n}};
    used += {.requests = 1, .prompt_tokens = n};
    bytes += out.messages[0]->json.size();
    return store_change{out};
  };
  const auto usage_is_right = [&] { // whoever asks has it written
    const auto found = store->ask(read_usage{.last_day = 1});
    usage_counts sum;
    for (const auto& x : std::get<page<usage_row>>(found).data)
      sum += x.counts;
    return sum == used;
  };
  for (std::uint64_t n = 0; n < 1000;) {
    // Groups of all sizes, up to more than may wait to be counted.
    std::vector<store_change> group;
    for (auto size = n % 11 == 0 ? 300 : n % 3 + 1; size > 0; --size)
      group.push_back(turn(n++));
    store->commit(group);
    if (n % 5 == 0)
      sweep(n % 2 == 0 ? 2000 : 0); // of all answers, or none
    const auto expected = text_of(tenant_totals{std::min<std::uint64_t>(n, 7), bytes});
    CAF_REQUIRE_EQUAL(text_of(store->ask(read_totals{"alice"})), expected);
    if (n % 4 == 0) {
      open();
      CAF_REQUIRE(usage_is_right());
    }
    CAF_REQUIRE_EQUAL(text_of(store->ask(read_totals{"alice"})), expected);
  }
}

CAF_TEST(usage of a turn that is damaged keeps no store from opening) {
  open();
  turn_record turn{.key = alice, .messages = talk("u1")};
  turn.answer = "answer";
  turn.usage = usage_row{{"alice", "k", "m", 1}, {.requests = 1}};
  commit(turn);
  store.reset();
  make("UPDATE replays SET usage = '7:alice'");
  open();
  CAF_CHECK_EQUAL(words_of(store->load(alice, {}).history), "u1");
  CAF_CHECK(std::get<page<usage_row>>(store->ask(read_usage{.last_day = 9})).data.empty());
}

CAF_TEST(totals of many tenants are right) {
  open();
  const auto tenant = [](int n) { return "tenant " + std::to_string(n); };
  for (int begin = 0; begin < 3000; begin += 500) {
    std::vector<store_change> group;
    for (int n = begin; n < begin + 500; ++n) {
      turn_record turn{.key = {tenant(n), "1"}, .messages = talk("u1")};
      turn.answer = begin % 1000 == 0 ? "answer" : "";
      group.emplace_back(turn);
    }
    store->commit(group);
  }
  const tenant_totals one{1, talk("u1").front()->json.size()};
  for (const bool again : {false, true}) {
    if (again)
      open();
    for (int n = 0; n < 3000; ++n)
      CAF_REQUIRE_EQUAL(text_of(store->ask(read_totals{tenant(n)})), text_of(one));
  }
}

CAF_TEST(a fork of a long thread has all of it) {
  open();
  turn_record turn{.key = alice};
  for (int i = 0; i < 2000; ++i)
    turn.messages.push_back(message(i % 2 ? "assistant" : "user", "word" + std::to_string(i)));
  commit(turn);
  commit(fork_thread{alice, alice_2, {}, 1});
  CAF_CHECK_EQUAL(text_of(store->load(alice_2, {}).history), text_of(turn.messages));
  const auto info = std::get<thread_info>(store->ask(find_thread{alice_2}));
  CAF_CHECK_EQUAL(info.messages, 2000u);
  CAF_CHECK_EQUAL(info.turns, 1000u);
  const auto source = std::get<thread_info>(store->ask(find_thread{alice}));
  CAF_CHECK_EQUAL(info.tokens, source.tokens);
}

CAF_TEST_FIXTURE_SCOPE_END()
