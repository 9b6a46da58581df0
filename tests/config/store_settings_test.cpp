#define CAF_SUITE store_settings
#include "tests/test.hpp"

#include "config/loader.hpp"

using namespace lang_agent;
using namespace std::chrono_literals;

namespace {

const std::string tenant = "[[tenants]]\nname = \"t\"\nkeys = [\"k\"]\n";

settings read(const std::string& text, const config_overrides& overrides = {}) {
  return parse_settings(text, "my.toml", overrides);
}

std::string problem(const std::string& text) {
  try {
    read(text);
    return "nothing";
  } catch (const config_error& e) {
    return e.what();
  }
}

} // namespace

CAF_TEST(a small config keeps its threads in a database) {
  const auto x = read(tenant);
  CAF_CHECK(x.store.engine == store_engine::sqlite);
  CAF_CHECK_EQUAL(x.store.data_dir, "lang-agent-data");
  CAF_CHECK(x.store.durability == commit_durability::full);
  CAF_CHECK_EQUAL(x.store.max_queued_bytes, 64u * 1024 * 1024);
  CAF_CHECK(x.threads.retry_with_less_context);
  CAF_CHECK(x.threads.replay_window == 10min);
  CAF_CHECK(x.threads.idle_after == 5min);
  CAF_CHECK_EQUAL(x.threads.max_active_bytes, 1024u * 1024 * 1024);
  CAF_CHECK(x.tenants.at(0).ttl == 0ms);
}

CAF_TEST(how threads are kept can be chosen) {
  const auto x = read(R"(
[threads]
retry_with_less_context = false
replay_window = "0"
idle_after = "250ms"
max_active_bytes = "1MiB"
[store]
engine = "memory"
data_dir = "/var/lib/x"
durability = "os"
max_queued_bytes = "1MiB"
[[tenants]]
name = "a"
keys = ["k"]
ttl = "30d"
[[tenants]]
name = "b"
keys = ["l"]
)");
  CAF_CHECK(!x.threads.retry_with_less_context);
  CAF_CHECK(x.threads.replay_window == 0ms);
  CAF_CHECK(x.threads.idle_after == 250ms);
  CAF_CHECK_EQUAL(x.threads.max_active_bytes, 1024u * 1024);
  CAF_CHECK(x.store.engine == store_engine::memory);
  CAF_CHECK_EQUAL(x.store.data_dir, "/var/lib/x");
  CAF_CHECK(x.store.durability == commit_durability::os);
  CAF_CHECK_EQUAL(x.store.max_queued_bytes, 1024u * 1024);
  CAF_REQUIRE_EQUAL(x.tenants.size(), 2u);
  CAF_CHECK(x.tenants[0].ttl == 720h);
  CAF_CHECK(x.tenants[1].ttl == 0ms);
}

CAF_TEST(mistakes in how threads are kept are told) {
  const std::pair<const char*, const char*> table[] = {
      {"[store]\nengine = \"sqlite3\"",
       "my.toml:2: store.engine is \"sqlite3\"; it must be one of \"sqlite\", \"memory\""},
      {"[store]\ndurability = \"none\"",
       "my.toml:2: store.durability is \"none\"; it must be one of \"full\", \"os\""},
      {"[store]\ndata_dir = 5", "my.toml:2: store.data_dir must be a string"},
      {"[store]\ndata_dir = \"\"", "store.data_dir is empty"},
      {"[store]\nmax_queued_bytes = 5", "my.toml:2: store.max_queued_bytes must be a size like"},
      {"[store]\ndatadir = \"x\"",
       "my.toml:2: store.datadir is not a known key; did you mean \"data_dir\"?"},
      {"[threads]\nreplay_window = 10", "my.toml:2: threads.replay_window must be a duration like"},
      {"[threads]\nidle_after = \"0\"", "threads.idle_after must be longer than 0"},
      {"[threads]\nmax_active_bytes = -1", "my.toml:2: threads.max_active_bytes must be a size"},
      {"[threads]\nmax_active_bytes = \"0B\"",
       "threads.max_active_bytes must be at least \"1KiB\""},
      {"[threads]\nmax_active_bytes = \"1023B\"",
       "threads.max_active_bytes must be at least \"1KiB\""},
      {"[store]\nmax_queued_bytes = \"0B\"", "store.max_queued_bytes must be at least \"1KiB\""},
      {"[threads]\nretry_with_less_context = 1",
       "my.toml:2: threads.retry_with_less_context must be true or false"},
      {"[[tenants]]\nname = \"a\"\nkeys = [\"x\"]\nttl = \"1w\"",
       "my.toml:4: tenants[0].ttl must be a duration like"},
  };
  for (const auto& [text, expected] : table) {
    const auto why = problem(std::string{text} + "\n" + tenant);
    if (why.find(expected) == std::string::npos)
      CAF_ERROR(text << "\n  says: " << why << "\n  not: " << expected);
    CAF_CHECK(why.find(expected) != std::string::npos);
  }
}

CAF_TEST(a store in memory needs no directory) {
  CAF_CHECK_EQUAL(problem("[store]\nengine = \"memory\"\ndata_dir = \"\"\n" + tenant), "nothing");
}

CAF_TEST(the command line chooses where threads are kept) {
  config_overrides directory;
  directory.data_dir = "/ours";
  const auto x = read("[store]\nengine = \"memory\"\ndata_dir = \"/theirs\"\n" + tenant, directory);
  CAF_CHECK(x.store.engine == store_engine::sqlite);
  CAF_CHECK_EQUAL(x.store.data_dir, "/ours");
  config_overrides ephemeral;
  ephemeral.ephemeral = true;
  CAF_CHECK(read(tenant, ephemeral).store.engine == store_engine::memory);
  directory.ephemeral = true;
  CAF_CHECK(read(tenant, directory).store.engine == store_engine::memory);
}
