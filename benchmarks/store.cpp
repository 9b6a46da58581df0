/// What the store costs: commits by group size and durability beside what SQLite itself can do on
/// the same disk, and loading a thread that is not in memory. Directory: BENCHMARK_DIR, or the
/// working directory.
#include "actors/history.hpp"
#include "http/request_codec.hpp"
#include "http/upstream_codec.hpp"
#include "store/sqlite_store.hpp"

#include <benchmark/benchmark.h>
#include <sqlite3.h>
#include <sys/resource.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <variant>

using namespace lang_agent;
namespace fs = std::filesystem;

namespace {

/// A directory that goes with the benchmark.
struct scratch {
  fs::path path;

  scratch() {
    const char* base = std::getenv("BENCHMARK_DIR");
    path = fs::path{base ? base : "."} / ("benchmark-store-" + std::to_string(::getpid()));
    fs::remove_all(path);
    fs::create_directories(path);
  }
  ~scratch() {
    fs::remove_all(path);
  }
};

message_ptr message(const std::string& role, std::size_t i) {
  const auto body = R"({"model":"m","messages":[{"role":")" + role + R"(","content":"Message )"
                    + std::to_string(i)
                    + R"(, with some words around it to make it a sentence or two."}]})";
  return std::get<http::chat_request>(http::decode_chat_request(body, {})).messages.front();
}

turn_record turn_of(const thread_key& key, std::uint64_t version) {
  static const auto question = message("user", 1);
  static const auto reply = message("assistant", 2);
  turn_record out;
  out.key = key;
  out.version = version;
  out.keep = 2 * version;
  out.messages = {question, reply};
  out.at = unix_now();
  out.request = {version, 7};
  out.answer = std::string(400, 'x'); // about what a plain answer has
  return out;
}

/// What a turn used: of 16 tenants, each with one key and one model.
usage_row usage_of(std::size_t turn) {
  return {{"tenant-" + std::to_string(turn % 16), "key", "model", 20'000},
          {.requests = 1, .prompt_tokens = 100, .completion_tokens = 50, .cost = 7}};
}

/// Turns of 1,000 threads in turn, so many per transaction.
void commit_turns(benchmark::State& state, store::durability durable, bool with_usage = false) {
  const scratch dir;
  const auto store = store::open_sqlite_store(dir.path / "db", durable);
  constexpr std::size_t threads = 1000;
  std::size_t next = 0;
  for (auto _ : state) {
    std::vector<store_change> group;
    for (std::int64_t i = 0; i < state.range(0); ++i, ++next) {
      auto turn = turn_of({"tenant", "thread-" + std::to_string(next % threads)}, next / threads);
      if (with_usage)
        turn.usage = usage_of(next);
      group.emplace_back(std::move(turn));
    }
    benchmark::DoNotOptimize(store->commit(group));
  }
  state.counters["turns/s"] =
      benchmark::Counter(static_cast<double>(next), benchmark::Counter::kIsRate);
}
BENCHMARK_CAPTURE(commit_turns, full, store::durability::full)
    ->Arg(1)
    ->Arg(16)
    ->Arg(256)
    ->UseRealTime();
BENCHMARK_CAPTURE(commit_turns, os, store::durability::os)
    ->Arg(1)
    ->Arg(16)
    ->Arg(256)
    ->UseRealTime();

BENCHMARK_CAPTURE(commit_turns, os_with_usage, store::durability::os, true)
    ->Arg(1)
    ->Arg(16)
    ->Arg(256)
    ->UseRealTime();

double microseconds(timeval x) {
  return static_cast<double>(x.tv_sec) * 1e6 + static_cast<double>(x.tv_usec);
}

/// System calls of this process that wrote something.
double write_calls() {
  std::ifstream in{"/proc/self/io"};
  std::string name;
  for (double number = 0; in >> name >> number;)
    if (name == "syscw:")
      return number;
  return 0;
}

/// Turns that each make a thread, so many per transaction, and what they cost.
void commit_new_threads(benchmark::State& state, store::durability durable) {
  const scratch dir;
  const auto store = store::open_sqlite_store(dir.path / "db", durable);
  rusage before{};
  getrusage(RUSAGE_SELF, &before);
  const auto writes = write_calls();
  std::size_t turns = 0;
  for (auto _ : state) {
    std::vector<store_change> group;
    for (std::int64_t i = 0; i < state.range(0); ++i, ++turns)
      group.emplace_back(turn_of({"tenant", "thread-" + std::to_string(turns)}, 0));
    benchmark::DoNotOptimize(store->commit(group));
  }
  rusage after{};
  getrusage(RUSAGE_SELF, &after);
  const auto per_turn = [&](double x) { return x / static_cast<double>(turns); };
  state.counters["writes"] = per_turn(write_calls() - writes);
  state.counters["user_us"] =
      per_turn(microseconds(after.ru_utime) - microseconds(before.ru_utime));
  state.counters["system_us"] =
      per_turn(microseconds(after.ru_stime) - microseconds(before.ru_stime));
}
BENCHMARK_CAPTURE(commit_new_threads, os, store::durability::os)->Arg(1)->Arg(6)->Arg(64);

/// The yardstick: SQLite's own rate for the same bytes as two plain rows per turn.
void sqlite_bulk(benchmark::State& state, const char* synchronous) {
  const scratch dir;
  sqlite3* db = nullptr;
  sqlite3_open((dir.path / "db").c_str(), &db);
  const auto run = [&](const std::string& sql) {
    if (sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
      state.SkipWithError(sqlite3_errmsg(db));
  };
  run("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = "
      "4096");
  run(std::string{"PRAGMA synchronous = "} + synchronous);
  run("CREATE TABLE messages (id INTEGER PRIMARY KEY, json TEXT)");
  sqlite3_stmt* insert = nullptr;
  sqlite3_prepare_v2(db, "INSERT INTO messages (json) VALUES (?)", -1, &insert, nullptr);
  const auto text = message("user", 1)->json;
  const auto add = [&](const std::string& json) {
    sqlite3_bind_text(insert, 1, json.data(), static_cast<int>(json.size()), SQLITE_STATIC);
    sqlite3_step(insert);
    sqlite3_reset(insert);
  };
  const std::string with_answer = text + std::string(400, 'x');
  std::size_t turns = 0;
  for (auto _ : state) {
    run("BEGIN");
    for (std::int64_t i = 0; i < state.range(0); ++i, ++turns) {
      add(text);
      add(with_answer);
    }
    run("COMMIT");
  }
  state.counters["turns/s"] =
      benchmark::Counter(static_cast<double>(turns), benchmark::Counter::kIsRate);
  sqlite3_finalize(insert);
  sqlite3_close(db);
}
BENCHMARK_CAPTURE(sqlite_bulk, full, "FULL")->Arg(1)->Arg(16)->Arg(256)->UseRealTime();
BENCHMARK_CAPTURE(sqlite_bulk, os, "NORMAL")->Arg(1)->Arg(16)->Arg(256)->UseRealTime();

void import_thread(store::thread_store& store, const thread_key& key, std::size_t messages) {
  import_messages piece{"import", {}};
  for (std::size_t i = 0; i < messages; ++i)
    piece.messages.push_back({0, 1000, false, message(i % 2 == 0 ? "user" : "assistant", i)});
  std::vector<store_change> changes{std::move(piece), finish_import{"import", key, {}}};
  store.commit(changes);
}

/// A cold thread of so many messages; the second argument limits the context (0: all of it).
void load_thread(benchmark::State& state) {
  const scratch dir;
  const auto store = store::open_sqlite_store(dir.path / "db", store::durability::os);
  const thread_key key{"tenant", "thread"};
  import_thread(*store, key, static_cast<std::size_t>(state.range(0)));
  const context_limits limits{static_cast<std::size_t>(state.range(1)), 0};
  for (auto _ : state)
    benchmark::DoNotOptimize(store->load(key, limits));
}
BENCHMARK(load_thread)
    ->Args({0, 0})
    ->Args({10, 0})
    ->Args({100, 0})
    ->Args({1000, 0})
    ->Args({10000, 0})
    ->Args({10000, 20})
    ->Unit(benchmark::kMicrosecond);

/// One turn on a thread of so many messages, up to the bytes that go upstream: what is old is
/// copied, what is new is work.
void plan_and_encode_turn(benchmark::State& state) {
  thread_record record;
  for (std::int64_t i = 0; i < state.range(0); ++i)
    record.history.push_back(
        message(i % 2 == 0 ? "user" : "assistant", static_cast<std::size_t>(i)));
  const history thread{std::move(record)};
  const message_list fresh{message("user", 0)};
  const chat_parameters parameters{"m"};
  std::size_t bytes = 0;
  for (auto _ : state) {
    const auto turn = thread.plan({}, fresh, {});
    const auto body = http::encode_upstream_request(parameters, turn.shown.messages, "", false);
    bytes = body.size();
    benchmark::DoNotOptimize(body);
  }
  state.counters["body"] = static_cast<double>(bytes);
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * state.iterations());
}
BENCHMARK(plan_and_encode_turn)
    ->Arg(10)
    ->Arg(100)
    ->Arg(1000)
    ->Arg(10000)
    ->Unit(benchmark::kMicrosecond);

/// The copying alone, of the same bytes.
void copy_fragments(benchmark::State& state) {
  message_list messages;
  for (std::int64_t i = 0; i < state.range(0); ++i)
    messages.push_back(message(i % 2 == 0 ? "user" : "assistant", static_cast<std::size_t>(i)));
  for (auto _ : state) {
    std::string out;
    out.reserve(messages.size() * 128);
    for (const auto& x : messages)
      out += x->json;
    benchmark::DoNotOptimize(out);
  }
}
BENCHMARK(copy_fragments)->Arg(10)->Arg(100)->Arg(1000)->Arg(10000)->Unit(benchmark::kMicrosecond);

} // namespace
