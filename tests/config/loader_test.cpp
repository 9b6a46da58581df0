#define CAF_SUITE loader
#include "tests/test.hpp"

#include "config/loader.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace lang_agent;
using strings = std::vector<std::string>;

namespace {

const std::string tenant = "[[tenants]]\nname = \"t\"\nkeys = [\"k\"]\n";

settings read(const std::string& text, const config_overrides& overrides = {}) {
  return parse_settings(text, "my.toml", overrides);
}

/// What is wrong with a config; "nothing" if it is fine.
std::string problem(const std::string& text, const config_overrides& overrides = {}) {
  try {
    read(text, overrides);
    return "nothing";
  } catch (const config_error& e) {
    return e.what();
  }
}

config_overrides listen_on(const std::string& address) {
  config_overrides out;
  out.listen = address;
  return out;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// An environment variable, set as long as this lives.
struct environment {
  explicit environment(const char* value) {
    ::setenv("LANG_AGENT_TEST_KEYS", value, 1);
  }
  ~environment() {
    ::unsetenv("LANG_AGENT_TEST_KEYS");
  }
};

/// A file that is there as long as this lives.
struct file {
  explicit file(const std::string& text) {
    std::ofstream{path} << text;
  }
  ~file() {
    std::filesystem::remove(path);
  }
  const std::string path =
      std::filesystem::temp_directory_path() / ("lang-agent-test-" + std::to_string(::getpid()));
};

} // namespace

CAF_TEST(the shipped config says what the defaults are) {
  const auto x = load_settings("");
  // Both as text that shows every member: a new one has to be added here.
  const auto show = [](const settings& s) {
    std::ostringstream out;
    const auto& v = s.server;
    const auto& t = s.threads;
    out << v.host << v.port << ' ' << v.threads << ' ' << v.max_connections << ' '
        << v.max_header_bytes << ' ' << v.max_body_bytes << ' ' << v.max_json_depth << ' '
        << v.max_messages << ' ' << v.stream_buffer_bytes << ' ' << v.header_timeout.count() << ' '
        << v.body_timeout.count() << ' ' << v.write_timeout.count() << ' '
        << v.keepalive_timeout.count() << ' ' << v.sse_keepalive.count() << ' '
        << v.json_keepalive.count() << ' ' << v.drain_timeout.count() << v.metrics << '\n'
        << s.log.level << s.log.content << '\n'
        << t.default_thread << ' ' << static_cast<int>(t.on_busy)
        << static_cast<int>(t.on_disconnect) << ' ' << t.max_waiting << ' '
        << t.wait_timeout.count() << ' ' << t.max_context_messages << ' ' << t.max_context_tokens
        << ' ' << t.retry_with_less_context << t.replay_window.count() << ' '
        << t.idle_after.count() << ' ' << t.max_active_bytes << '\n'
        << static_cast<int>(s.store.engine) << s.store.data_dir
        << static_cast<int>(s.store.durability) << ' ' << s.store.max_queued_bytes << '\n'
        << *s.defaults.temperature << ' ' << *s.defaults.max_tokens << '\n'
        << s.tenants.at(0).limits.max_turns << ' ' << s.tenants.at(0).weight << ' '
        << s.tenants.at(0).max_waiting << ' ' << s.tenants.at(0).ttl.count() << '\n';
    const auto& u = s.upstreams.at(0);
    out << static_cast<int>(u.kind) << u.base_url << u.api_keys.size() << u.model
        << u.model_map.size() << u.models.size() << u.weight << u.priority << u.replay_reasoning
        << (u.parameters == parameter_policy{}) << ' ' << u.max_concurrency << ' '
        << u.max_answer_bytes << ' ' << u.connect_timeout.count() << ' ' << u.tls_timeout.count()
        << ' ' << u.first_token_timeout.count() << ' ' << u.answer_timeout.count() << ' '
        << u.idle_timeout.count() << ' ' << u.total_timeout.count() << ' '
        << u.idle_connection_timeout.count() << ' ' << u.max_connection_age.count() << ' '
        << u.probe_interval.count() << ' ' << u.proxy.has_value() << u.proxy_from_environment
        << u.ca_file << u.client_certificate << u.client_key << u.headers.size() << ' '
        << u.builtin.seed << ' ' << u.builtin.first_token_delay.count() << ' '
        << u.builtin.token_interval.count() << ' ' << u.builtin.words << '\n';
    const auto& r = s.retry;
    const auto& b = s.breaker;
    out << s.routes.size() << ' ' << static_cast<int>(s.routing.unknown_model) << ' '
        << s.routing.max_waiting << ' ' << s.routing.wait_timeout.count() << ' ' << r.max_attempts
        << ' ' << r.attempts_per_group << ' ' << r.base_delay.count() << ' ' << r.max_delay.count()
        << ' ' << r.budget << ' ' << b.consecutive_failures << ' ' << b.failure_rate << ' '
        << b.min_attempts << ' ' << b.window.count() << ' ' << b.open_time.count() << ' '
        << b.max_open_time.count();
    return out.str();
  };
  settings defaults;
  defaults.tenants.resize(1);
  defaults.upstreams.resize(1);
  CAF_CHECK_EQUAL(show(x), show(defaults));
  CAF_CHECK_EQUAL(x.tenants.size(), 1u);
  CAF_CHECK_EQUAL(x.tenants[0].name, "default");
  CAF_CHECK_EQUAL(x.tenants[0].keys, strings{well_known_key});
  CAF_CHECK_EQUAL(x.upstreams.size(), 1u);
  CAF_CHECK_EQUAL(x.upstreams[0].name, "main");
}

CAF_TEST(a small config has defaults for the rest) {
  const auto x = read(tenant);
  CAF_CHECK_EQUAL(x.server.port, 8488u);
  CAF_CHECK_EQUAL(x.upstreams.at(0).name, "main");
  CAF_CHECK(x.upstreams.at(0).kind == upstream_kind::builtin);
}

CAF_TEST(every kind of value is read) {
  const auto x = read(tenant + R"(
[server]
listen = "[::1]:9"
max_body_bytes = "1KiB"
header_timeout = "2m"
[log]
level = "debug"
content = true
[threads]
default_thread = "none"
on_busy = "reject"
on_disconnect = "finish"
[defaults]
temperature = 1
max_tokens = false
[[upstreams]]
name = "a"
kind = "openai"
base_url = "http://h/v1"
models = ["x", "y"]
[[upstreams]]
name = "b"
[upstreams.builtin]
seed = 9223372036854775807
words = 3
)");
  CAF_CHECK_EQUAL(x.server.host, "::1");
  CAF_CHECK_EQUAL(x.server.port, 9u);
  CAF_CHECK_EQUAL(x.server.max_body_bytes, 1024u);
  CAF_CHECK_EQUAL(x.server.header_timeout.count(), 120'000);
  CAF_CHECK(x.log.content);
  CAF_CHECK_EQUAL(x.threads.default_thread, "");
  CAF_CHECK(x.threads.on_busy == busy_policy::reject);
  CAF_CHECK(x.threads.on_disconnect == disconnect_policy::finish);
  CAF_CHECK_EQUAL(x.defaults.temperature.value_or(0), 1.0);
  CAF_CHECK(!x.defaults.max_tokens);
  CAF_REQUIRE_EQUAL(x.upstreams.size(), 2u);
  CAF_CHECK_EQUAL(x.upstreams[0].models, (strings{"x", "y"}));
  CAF_CHECK_EQUAL(x.upstreams[1].builtin.seed, 9223372036854775807u);
  CAF_CHECK_EQUAL(x.upstreams[1].builtin.words, 3u);
}

CAF_TEST(mistakes are told with file and line and key) {
  const std::pair<const char*, const char*> table[] = {
      {"[server]\nlisten = 8488", "my.toml:2: server.listen must be a string"},
      {"[server]\nlisten = \"\"", "my.toml: server.listen: \"\" is no address"},
      {"[server]\nlisten = \"nonsense\"", "server.listen: \"nonsense\" is no address"},
      {"\n[server]\n\nmax_bodybytes = \"1KiB\"",
       "my.toml:4: server.max_bodybytes is not a known key; did you mean \"max_body_bytes\"?"},
      {"[server]\nquantum = 1", "my.toml:2: server.quantum is not a known key"},
      {"[sever]\nthreads = 1", "my.toml:1: sever is not a known key; did you mean \"server\"?"},
      {"server = 1", "my.toml:1: server must be a table: [server]"},
      {"[server]\nthreads = \"4\"", "my.toml:2: server.threads must be a whole number"},
      {"[server]\nthreads = 1.5", "my.toml:2: server.threads must be a whole number"},
      {"[server]\nthreads = -1", "my.toml:2: server.threads is -1; it must be between 0 and 1024"},
      {"[server]\nmax_messages = 0", "my.toml:2: server.max_messages is 0; it must be between 1"},
      {"[server]\nmax_body_bytes = 5", "my.toml:2: server.max_body_bytes must be a size like"},
      {"[server]\nmax_body_bytes = \"5MB\"",
       "my.toml:2: server.max_body_bytes must be a size like"},
      {"[server]\nmax_header_bytes = \"1B\"", "server.max_header_bytes must be at least"},
      {"[server]\nmax_header_bytes = \"4GiB\"", "server.max_header_bytes must be at most"},
      {"[server]\nstream_buffer_bytes = \"1B\"", "server.stream_buffer_bytes must be at least"},
      {"[server]\nsse_keepalive = \"99ms\"",
       "server.sse_keepalive must be \"0s\" or at least \"100ms\""},
      {"[server]\njson_keepalive = \"1ms\"",
       "server.json_keepalive must be \"0s\" or at least \"100ms\""},
      {"[server]\nheader_timeout = 5", "my.toml:2: server.header_timeout must be a duration like"},
      {"[server]\nheader_timeout = \"0s\"", "the timeouts under [server] must be longer than 0"},
      {"[[tenants]]\nweight = 0",
       "my.toml:2: tenants[0].weight is 0; it must be between 1 and 1000"},
      {"[[tenants]]\nweight = 1001", "tenants[0].weight is 1001; it must be between 1 and 1000"},
      {"[[tenants]]\nmax_waiting = -1", "tenants[0].max_waiting is -1; it must be between 0"},
      {"[log]\ncontent = \"yes\"", "my.toml:2: log.content must be true or false"},
      {"[log]\nlevel = \"loud\"", "log.level is \"loud\"; it must be one of trace"},
      {"[threads]\non_busy = \"wait\"",
       "my.toml:2: threads.on_busy is \"wait\"; it must be one of \"enqueue\", \"reject\""},
      {"[threads]\non_busy = \"\"", "my.toml:2: threads.on_busy is \"\"; it must be one of"},
      {"[threads]\ndefault_thread = 1.5",
       "my.toml:2: threads.default_thread must be a whole number, a name"},
      {"[threads]\ndefault_thread = \"\"", "my.toml:2: threads.default_thread must be"},
      {"[defaults]\ntemperature = 2.1",
       "my.toml:2: defaults.temperature must be a number between 0 and 2"},
      {"[defaults]\ntemperature = nan", "my.toml:2: defaults.temperature must be"},
      {"[defaults]\ntemperature = true", "my.toml:2: defaults.temperature must be"},
      {"[defaults]\nmax_tokens = 0", "my.toml:2: defaults.max_tokens must be"},
      {"[defaults]\nmax_tokens = 1.5", "my.toml:2: defaults.max_tokens must be"},
      {"[[upstreams]]\nname = \"u\"\nkind = \"gemini\"",
       "my.toml:3: upstreams[0].kind is \"gemini\"; it must be one of"},
      {"[[upstreams]]\nname = \"u\"\nmodels = \"x\"",
       "my.toml:3: upstreams[0].models must be a list of strings"},
      {"[[upstreams]]\nname = \"u\"\nmodels = [1]",
       "my.toml:3: upstreams[0].models must be a list of strings"},
      {"[[upstreams]]\nname = \"u\"\nkind = \"openai\"",
       "upstream \"u\": base_url must start with http:// or https://"},
      {"[[upstreams]]\nname = \"u\"\nkind = \"openai\"\nbase_url = \"http://k@h\"",
       "upstream \"u\": base_url must start with"},
      {"[[upstreams]]\nname = \"u\"\nkind = \"openai\"\nbase_url = \"http://h\"\nidle_timeout = "
       "\"0\"",
       "must be longer than 0"},
      {"[[upstreams]]\nname = \"u\"\nkind = \"openai\"\nbase_url = \"http://h\"\n"
       "max_answer_bytes = \"1B\"",
       "upstream \"u\": max_answer_bytes must be at least \"1KiB\""},
      {"[[upstreams]]\nname = \"u\"\nmodels = [\"a\", \"\"]", "models has an empty name"},
      {"[[upstreams]]\nname = \"u\"\nmodel_map = { \"a\" = \"\" }", "model_map has an empty name"},
      {"[breaker]\nfailure_rate = 0", "breaker.failure_rate must be above 0"},
      {"[[upstreams]]\nname = \"u\"\n[[upstreams]]\nname = \"u\"",
       "every upstream needs a name of its own"},
      {"[upstreams]\nname = \"u\"",
       "my.toml:1: upstreams must be an array of tables: [[upstreams]]"},
      {"[server", "my.toml:1: "},
      {"[log]\nlevel = \"info\"\nlevel = \"info\"", "my.toml:3: "},
  };
  for (const auto& [text, expected] : table) {
    // The tenant stands behind, so that line numbers count from the text's start.
    const auto why = problem(std::string{text} + "\n" + tenant);
    if (!has(why, expected))
      CAF_ERROR(text << "\n  says: " << why << "\n  not: " << expected);
    CAF_CHECK(has(why, expected));
  }
}

CAF_TEST(names of headers have no case) {
  const std::string upstream =
      tenant + "[[upstreams]]\nname = \"u\"\nkind = \"openai\"\nbase_url = \"http://h\"\n";
  const environment set{"secret"};
  const auto x = read(upstream
                      + "headers = { \"X-A\" = \"1\", Authorization = \"Bearer x\" }\n"
                        "headers_env = { \"x-A\" = \"LANG_AGENT_TEST_KEYS\" }");
  CAF_CHECK_EQUAL(x.upstreams[0].headers.size(), 2u);
  CAF_CHECK_EQUAL(x.upstreams[0].headers.at("x-a"), "secret");
  CAF_CHECK_EQUAL(x.upstreams[0].headers.at("authorization"), "Bearer x");
  CAF_CHECK(has(problem(upstream + "headers = { \"X-A\" = \"1\", \"x-a\" = \"2\" }"),
                "headers has the header \"x-a\" twice"));
  CAF_CHECK(has(problem(upstream
                        + "api_key_env = \"LANG_AGENT_TEST_KEYS\"\n"
                          "headers = { Authorization = \"Bearer x\" }"),
                "the header \"authorization\" cannot be configured"));
  for (const auto* name : {"Host", "Accept-Encoding", "content-encoding", "Trailer", "Keep-Alive",
                           "proxy-connection", "Proxy-Authorization"})
    CAF_CHECK(
        has(problem(upstream + "headers = { \"" + name + "\" = \"x\" }"), "cannot be configured"));
}

CAF_TEST(tenants must be safe and different) {
  const std::pair<std::string, const char*> table[] = {
      {"", "no tenant is configured; add"},
      {"[[tenants]]\nkeys = [\"k\"]", "a tenant has no name"},
      {"[[tenants]]\nname = \"a\"", "tenant \"a\" has no key; add keys, keys_env or keys_file"},
      {"[[tenants]]\nname = \"a\"\nkeys = [\"\"]", "a key of tenant \"a\" is empty"},
      {"[[tenants]]\nname = \"a\"\nkeys = [\"x y\"]", "characters other than visible ASCII"},
      {"[[tenants]]\nname = \"a\"\nkeys = [\"é\"]", "characters other than visible ASCII"},
      {tenant + "[[tenants]]\nname = \"t\"\nkeys = [\"k2\"]", "two tenants are called \"t\""},
      {tenant + "[[tenants]]\nname = \"u\"\nkeys = [\"k\"]",
       "a key of tenant \"u\" is given twice"},
  };
  for (const auto& [text, expected] : table)
    CAF_CHECK(has(problem(text), expected));
}

CAF_TEST(the publicly known key is refused where others can reach it) {
  const std::string known = "[[tenants]]\nname = \"t\"\nkeys = [\"k\", \"123tangledup-ai\"]\n";
  for (const auto* listen : {"127.0.0.1:1", "localhost:1", "[::1]:1"})
    CAF_CHECK_EQUAL(problem(known, listen_on(listen)), "nothing");
  for (const auto* listen : {"0.0.0.0:1", "[::]:1", "192.168.0.1:1", "127.example.com:1"}) {
    CAF_CHECK(has(problem(known, listen_on(listen)), "refusing to listen on"));
    CAF_CHECK_EQUAL(problem(tenant, listen_on(listen)), "nothing");
  }
}

CAF_TEST(keys come from the environment) {
  const environment set{"a,b"};
  const auto x = read(tenant + "keys_env = \"LANG_AGENT_TEST_KEYS\"");
  CAF_CHECK_EQUAL(x.tenants[0].keys, (strings{"k", "a", "b"}));
  const auto y =
      read(tenant + "[[upstreams]]\nname = \"u\"\napi_key_env = \"LANG_AGENT_TEST_KEYS\"");
  CAF_CHECK_EQUAL(y.upstreams[0].api_keys, (strings{"a", "b"}));
}

CAF_TEST(a missing variable is told with its user) {
  const auto why = problem(tenant + "keys_env = \"LANG_AGENT_TEST_KEYS\"");
  CAF_CHECK(has(
      why,
      "tenants.keys_env names the environment variable LANG_AGENT_TEST_KEYS, which is not set"));
  CAF_CHECK(has(why, "export LANG_AGENT_TEST_KEYS=..."));
  const environment empty{""};
  CAF_CHECK(has(problem(tenant + "keys_env = \"LANG_AGENT_TEST_KEYS\""), "is not set"));
  CAF_CHECK(
      has(problem(tenant + "[[upstreams]]\nname = \"u\"\napi_key_env = \"LANG_AGENT_TEST_KEYS\""),
          "upstreams.api_key_env names"));
}

CAF_TEST(keys come from files) {
  const file keys{"a\n\n  b \r\n"};
  const auto x = read(tenant + "keys_file = \"" + keys.path + "\"");
  CAF_CHECK_EQUAL(x.tenants[0].keys, (strings{"k", "a", "b"}));
  const auto y = read(tenant + "[[upstreams]]\nname = \"u\"\napi_key_file = \"" + keys.path + "\"");
  CAF_CHECK_EQUAL(y.upstreams[0].api_keys, (strings{"a", "b"}));
}

CAF_TEST(files that hold no key are told) {
  CAF_CHECK(has(problem(tenant + "keys_file = \"/nowhere/keys\""),
                "tenants.keys_file names the file /nowhere/keys, which cannot be read"));
  const file empty{" \n\n"};
  CAF_CHECK(has(problem(tenant + "keys_file = \"" + empty.path + "\""), "which is empty"));
}

CAF_TEST(the command line wins) {
  const std::string text = tenant + R"(
[[upstreams]]
name = "u"
kind = "openai"
base_url = "http://theirs"
api_key_env = "LANG_AGENT_TEST_NOWHERE"
model = "m"
)";
  const environment set{"secret"};
  auto overrides = listen_on("0.0.0.0:1");
  overrides.upstream_url = "http://ours/v1";
  overrides.upstream_key_env = "LANG_AGENT_TEST_KEYS";
  overrides.model = "n";
  const auto x = read(text, overrides);
  CAF_CHECK_EQUAL(x.server.host, "0.0.0.0");
  CAF_CHECK_EQUAL(x.server.port, 1u);
  CAF_CHECK_EQUAL(x.upstreams[0].base_url, "http://ours/v1");
  CAF_CHECK_EQUAL(x.upstreams[0].api_keys, strings{"secret"});
  CAF_CHECK_EQUAL(x.upstreams[0].model, "n");
  CAF_CHECK(has(problem(tenant, listen_on("nonsense")), "--listen: \"nonsense\" is no address"));
  config_overrides nowhere;
  nowhere.upstream_key_env = "LANG_AGENT_TEST_NOWHERE";
  CAF_CHECK(has(problem(tenant, nowhere), "--upstream-key-env names"));
}

CAF_TEST(a key is never sent to another place than it was configured for) {
  const environment set{"secret"};
  config_overrides overrides;
  overrides.upstream_url = "http://ours";
  const auto x =
      read(tenant
               + "[[upstreams]]\nname = \"u\"\nkind = \"openai\"\nbase_url = \"http://theirs\"\n"
                 "api_key_env = \"LANG_AGENT_TEST_KEYS\"\n",
           overrides);
  CAF_CHECK_EQUAL(x.upstreams[0].base_url, "http://ours");
  CAF_CHECK(x.upstreams[0].api_keys.empty());
}

CAF_TEST(a config is read from a file) {
  const file config{tenant};
  const auto x = load_settings(config.path);
  CAF_CHECK_EQUAL(x.tenants.at(0).name, "t");
  try {
    load_settings("/nowhere/my.toml");
    CAF_ERROR("a missing file was read");
  } catch (const config_error& e) {
    CAF_CHECK_EQUAL(std::string{e.what()}, "cannot read the config file /nowhere/my.toml");
  }
}
