#define CAF_SUITE llm_pool_probe
#include "tests/actors/pool_fixture.hpp"

using namespace lang_agent;
using namespace lang_agent::test;
using namespace std::chrono_literals;

namespace {

/// An upstream whose probes the test answers.
struct probed_upstream : http::upstream {
  std::shared_ptr<http::exchange> start(const http::exchange_request&,
                                        std::shared_ptr<http::exchange_listener>) override {
    return nullptr;
  }
  void probe(std::function<void(bool)> done) override {
    probes.push_back(std::move(done));
  }
  std::vector<std::function<void(bool)>> probes;
};

struct probe_fixture : pool_fixture {
  std::shared_ptr<probed_upstream> upstream = std::make_shared<probed_upstream>();

  probe_fixture() {
    targets[0].http = upstream;
    targets[0].probe_interval = 2s;
    options.breaker = {.consecutive_failures = 1, .open_time = 60s, .max_open_time = 60s};
    options.retry.max_attempts = 1;
  }

  ~probe_fixture() {
    upstream->probes.clear();
  }

  void answer(bool healthy) {
    upstream->probes.back()(healthy);
    sched.run();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(llm_pool_probe_tests, probe_fixture)

CAF_TEST(an upstream that is left alone is probed until it is healthy) {
  start();
  order();
  CAF_CHECK_EQUAL(upstream->probes.size(), 0u);
  fail(error_kind::upstream_error);
  pass(1s);
  CAF_REQUIRE_EQUAL(upstream->probes.size(), 1u);
  pass(5s); // one at a time
  CAF_CHECK_EQUAL(upstream->probes.size(), 1u);
  answer(false);
  order();
  CAF_CHECK_EQUAL(attempts(), 1u);
  pass(1s);
  CAF_REQUIRE_EQUAL(upstream->probes.size(), 2u);
  answer(true);
  order();
  CAF_CHECK_EQUAL(attempts(), 2u);
  complete();
  pass(10s);
  CAF_CHECK_EQUAL(upstream->probes.size(), 2u);
}

CAF_TEST(without an interval nothing is probed) {
  targets[0].probe_interval = 0s;
  start();
  order();
  fail(error_kind::upstream_error);
  for (int i = 0; i < 10; ++i)
    pass(1s);
  CAF_CHECK_EQUAL(upstream->probes.size(), 0u);
}

CAF_TEST(a probe may outlive the pool) {
  start();
  order();
  fail(error_kind::upstream_error);
  pass(1s);
  kill(aut);
  answer(true);
}

CAF_TEST_FIXTURE_SCOPE_END()
