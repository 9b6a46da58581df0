/// The write-ahead log: what a commit has returned is with the system, and what it could not write
/// is nowhere.
#define CAF_SUITE sqlite_log
#include "tests/store/contract.hpp"

#include <sys/resource.h>

#include <csignal>

using namespace lang_agent;
using namespace lang_agent::test;
namespace fs = std::filesystem;

namespace {

/// No file grows beyond `bytes` while this lives: writes stop there, with an error.
class file_size_limit {
public:
  explicit file_size_limit(std::uintmax_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit now{bytes, before_.rlim_max};
    CAF_REQUIRE_EQUAL(::setrlimit(RLIMIT_FSIZE, &now), 0);
  }
  ~file_size_limit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
  }

  file_size_limit(const file_size_limit&) = delete;
  file_size_limit& operator=(const file_size_limit&) = delete;

private:
  rlimit before_{};
};

thread_key thread(std::size_t number) {
  return {"alice", std::to_string(number)};
}

struct log_fixture {
  temporary_directory directory;
  fs::path file = directory.path() / "threads.db";
  std::unique_ptr<store::thread_store> store;

  void open(store::durability durable) {
    store.reset();
    fs::remove_all(directory.path());
    store = store::open_sqlite_store(file, durable);
  }

  std::uintmax_t log_size() const {
    return fs::file_size(directory.path() / "threads.db-wal");
  }

  /// Two turns on each of so many threads, with a text of so many bytes each.
  std::vector<store_change> turns(std::size_t threads, std::size_t bytes) const {
    const message_list messages{message("user", "u"),
                                message("assistant", std::string(bytes, 'x'))};
    std::vector<store_change> out;
    for (const std::size_t round : {0, 1})
      for (std::size_t i = 0; i < threads; ++i) {
        const auto before = store->load(thread(i), {});
        turn_record turn{.key = thread(i), .version = before.version + round, .messages = messages};
        turn.keep = before.history.size() + 2 * round;
        turn.answer = "answer";
        turn.usage = usage_row{{"alice", std::to_string(i % 7), "m", 1}, {.requests = 1}};
        out.emplace_back(turn);
      }
    return out;
  }

  /// Fails after all turns before it.
  static store_change impossible() {
    return turn_record{.key = bob, .keep = 99, .messages = talk("u")};
  }

  bool fails(const std::vector<store_change>& changes) const {
    try {
      store->commit(changes);
      return false;
    } catch (const store::storage_error&) {
      return true;
    }
  }

  static std::string threads_of(store::thread_store& x, std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i)
      out += text_of(x.load(thread(i), {}));
    out += text_of(x.ask(read_totals{"alice"}));
    out += text_of(x.ask(read_usage{.last_day = 9}));
    return out;
  }

  /// What there would be if the process ended now: another one opens the files as they are.
  std::string after_a_crash(std::size_t threads) const {
    const temporary_directory other;
    for (const auto& x : fs::directory_iterator{directory.path()})
      fs::copy(x.path(), other.path() / x.path().filename());
    const auto found = store::open_sqlite_store(other.path() / "threads.db", store::durability::os);
    return threads_of(*found, threads);
  }

  void check_files(std::size_t threads) const {
    CAF_CHECK(after_a_crash(threads) == threads_of(*store, threads));
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(sqlite_log_tests, log_fixture)

CAF_TEST(what a commit has returned survives a crash) {
  for (const auto durable : {store::durability::full, store::durability::os}) {
    open(durable);
    // From one page to more than the cache holds: that goes into the log before the commit, and
    // some of it is written there again.
    for (const auto& [threads, bytes] : {std::pair{1, 10},
                                         {1, 5'000},
                                         {20, 100},
                                         {20, 300'000},
                                         {1, 10},
                                         {400, 20'000},
                                         {1, 10},
                                         {400, 100},
                                         {2, 10}}) {
      store->commit(turns(static_cast<std::size_t>(threads), static_cast<std::size_t>(bytes)));
      check_files(static_cast<std::size_t>(threads));
    }
  }
}

CAF_TEST(a large group that fails leaves nothing and the next one is whole) {
  for (const auto durable : {store::durability::full, store::durability::os}) {
    open(durable);
    store->commit(turns(400, 100));
    const auto before = threads_of(*store, 400);
    for (const std::size_t next : {1, 400}) {
      auto group = turns(400, 20'000);
      group.push_back(impossible());
      CAF_CHECK(fails(group));
      if (next == 1)
        CAF_CHECK(threads_of(*store, 400) == before);
      store->commit(turns(next, 100));
      check_files(400);
    }
  }
}

CAF_TEST(a log that cannot be written fails the commit wherever it stops) {
  for (const auto durable : {store::durability::full, store::durability::os}) {
    std::size_t failures = 0;
    for (bool failed = true; failed; ++failures) {
      open(durable);
      store->commit(turns(3, 100));
      const auto before = threads_of(*store, 3);
      const auto group = turns(3, 5'000);
      {
        const file_size_limit limit{log_size() + failures * 1'500};
        failed = fails(group);
      }
      CAF_CHECK_EQUAL(threads_of(*store, 3) == before, failed);
      check_files(3);
      store->commit(turns(1, 10)); // over what the failed one has left of itself
      check_files(3);
    }
    CAF_CHECK_GREATER(failures, 10u);
  }
}

CAF_TEST_FIXTURE_SCOPE_END()
