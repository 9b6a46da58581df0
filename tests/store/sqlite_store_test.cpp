/// What only the SQLite engine does: its file.
#define CAF_SUITE sqlite_store
#include "tests/store/contract.hpp"

#include "store/sqlite.hpp"

#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <map>

using namespace lang_agent;
using namespace lang_agent::test;
namespace fs = std::filesystem;

namespace {

const std::string secret = "correct horse battery staple";

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
  make("PRAGMA user_version = 1");
  open();
  CAF_CHECK_EQUAL(words_of(store->load(alice, {}).history), "u1");
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
