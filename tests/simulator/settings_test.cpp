#define CAF_SUITE simulator_settings
#include "tests/test.hpp"

#include "benchmarks/simulator/settings.hpp"
#include "config/loader.hpp"

#include <filesystem>

using namespace lang_agent;
using namespace std::chrono_literals;
using simulator::fault_kind;

namespace {

simulator::settings read(const std::string& text) {
  return simulator::parse_settings(text, "my.toml");
}

/// What is wrong with a text; "nothing" if it is fine.
std::string problem(const std::string& text) {
  try {
    read(text);
    return "nothing";
  } catch (const config_error& e) {
    return e.what();
  }
}

simulator::fault_rule fault(const std::string& keys) {
  const auto rules = simulator::parse_faults("[[faults]]\n" + keys, "faults");
  CAF_REQUIRE_EQUAL(rules.size(), 1u);
  return rules.front();
}

template <class F>
bool is_refused(F read_it) {
  try {
    read_it();
    return false;
  } catch (const config_error&) {
    return true;
  }
}

std::filesystem::path root() {
  return std::filesystem::path{__FILE__}.parent_path() / "../..";
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace

CAF_TEST(every key has a default) {
  const auto x = read("");
  CAF_CHECK_EQUAL(x.listen, "127.0.0.1:8490");
  CAF_CHECK_EQUAL(x.seed, 1u);
  CAF_CHECK(x.model.names == std::vector<std::string>{"simulated"});
  CAF_CHECK(x.model.first_token_delay.is_zero());
  CAF_CHECK(x.model.length.is_zero());
  CAF_CHECK(x.faults.empty());
}

CAF_TEST(the example file is understood) {
  const auto x = simulator::load_settings(root() / "config/simulator.toml");
  CAF_CHECK_EQUAL(x.listen, "127.0.0.1:8490");
  CAF_CHECK(!x.model.token_interval.is_zero());
  CAF_CHECK(!x.faults.empty());
}

CAF_TEST(a fault has what its kind needs) {
  const auto limited = fault("kind = \"rate_limit\"");
  CAF_CHECK_EQUAL(limited.name, "rate_limit");
  CAF_CHECK_EQUAL(limited.status, 429);
  CAF_CHECK(limited.retry_after == 1000ms);
  CAF_CHECK(!fault("kind = \"rate_limit\"\nretry_after = \"none\"").retry_after);
  const auto error = fault("kind = \"server_error\"\nname = \"x\"\nstatus = 503\nshare = 0.25\n"
                           "key = \"a\"\nmodel = \"b\"\nlimit = 3\nretry_after = \"2s\"\n"
                           "delay = \"5ms\"");
  CAF_CHECK_EQUAL(error.name, "x");
  CAF_CHECK_EQUAL(error.status, 503);
  CAF_CHECK_EQUAL(error.share, 0.25);
  CAF_CHECK_EQUAL(error.key.value_or(""), "a");
  CAF_CHECK_EQUAL(error.model.value_or(""), "b");
  CAF_CHECK_EQUAL(error.limit, 3u);
  CAF_CHECK(error.retry_after == 2000ms);
  CAF_CHECK(error.delay == 5ms);
  CAF_CHECK(fault("kind = \"cut\"\nreset = true\nafter = 2").reset);
  CAF_CHECK_EQUAL(fault("kind = \"cut\"\nafter = 2").deltas_before(), 2u);
  CAF_CHECK(!fault("kind = \"no_done\"").after);
  CAF_CHECK(fault("kind = \"slow_head\"").delay == 100ms);
  CAF_CHECK_EQUAL(fault("kind = \"slow\"\nfactor = 3").factor, 3);
}

CAF_TEST(mistakes are named with file and line) {
  CAF_CHECK(has(problem("seed = 1\nmodell = 2"),
                "my.toml:2: modell is not a known key; did you mean \"model\"?"));
  CAF_CHECK(has(problem("listen = \"nowhere\""), "my.toml:1: listen must be an address"));
  CAF_CHECK(has(problem("[model]\nlength = 50"), "my.toml:2: model.length must be a string"));
  CAF_CHECK(has(problem("[model]\ntoken_interval = \"fast\""),
                "my.toml:2: model.token_interval must be \"20ms\", \"uniform(X, Y)\""));
  CAF_CHECK(has(problem("[model]\nnames = []"), "names must name at least one model"));
  CAF_CHECK(has(problem("[[faults]]\nshare = 1"), "faults[0].kind is missing"));
  CAF_CHECK(has(problem("[[faults]]\nkind = \"cut\"\nshare = 1.5"),
                "my.toml:3: faults[0].share must be between 0 and 1"));
  CAF_CHECK(has(problem("[[faults]]\nkind = \"cuts\""), "it must be one of \"rate_limit\""));
  CAF_CHECK(has(problem("[[faults]]\nkind = \"server_error\"\nstatus = 200"), "my.toml:3"));
  CAF_CHECK(has(problem("seed ="), "my.toml:1"));
}

CAF_TEST(a key that means nothing for a kind is a mistake) {
  for (const auto* keys : {"kind = \"rate_limit\"\nafter = 1", "kind = \"stall\"\nreset = true",
                           "kind = \"cut\"\nstatus = 500", "kind = \"slow\"\ndelay = \"1s\"",
                           "kind = \"tls_failure\"\nkey = \"a\"", "kind = \"empty\"\nfactor = 2"})
    CAF_CHECK(has(problem("[[faults]]\n" + std::string{keys}), "my.toml:3"));
}

CAF_TEST(faults and model can be read alone) {
  CAF_CHECK(simulator::parse_faults("", "faults").empty());
  CAF_CHECK_EQUAL(simulator::parse_model("slots = 3", "model").slots, 3u);
  CAF_CHECK(is_refused([] { simulator::parse_model("[model]\nslots = 3", "model"); }));
  CAF_CHECK(is_refused([] { simulator::parse_faults("seed = 1", "faults"); }));
}
