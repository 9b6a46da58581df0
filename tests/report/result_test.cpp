#define CAF_SUITE report_result
#include "tests/test.hpp"

#include "benchmarks/report/result.hpp"
#include "tests/report/documents.hpp"

using namespace lang_agent;
using namespace lang_agent::report::test;

namespace {

report::result read(const std::string& json) {
  return report::parse_result(json, "my.json");
}

std::string refusal(const std::string& json) {
  return problem([&] { read(json); });
}

} // namespace

CAF_TEST(what is missing or null is absent) {
  const auto x = read(document({run("new")}));
  const auto& only = x.runs.at(0);
  CAF_CHECK(!only.step && !only.offered.rate && !only.good && !only.server && !x.swept);
  CAF_CHECK(!only.latencies[report::ttft]);
  CAF_CHECK_EQUAL(only.requests.completed, 0);
  CAF_CHECK(only.time.completed.empty());
}

CAF_TEST(null in a timeline is an interval that had none) {
  const auto x = read(document({run("new", R"("timeline":{"e2e_p50_ms":[1.5,null]})")}));
  CAF_CHECK_EQUAL(x.runs.at(0).time.e2e_p50_ms.size(), 2u);
  CAF_CHECK(!x.runs.at(0).time.e2e_p50_ms.at(1));
}

CAF_TEST(kinds of errors that never came are left out) {
  const auto x = read(document({run("new", R"("errors":{"timeout":0,"connect":2})")}));
  CAF_CHECK_EQUAL(x.runs.at(0).errors.size(), 1u);
}

CAF_TEST(what is no result is refused with what to do) {
  for (const std::string json : {"", "x", "[]", "3", "null", "{}", R"({"schema":7})",
                                 R"({"schema":"x"})", "{\"schema\":\"lang-agent-bench/1\"}"}) {
    CAF_CHECK(has(refusal(json), "my.json is no result of lang-agent bench: "));
    CAF_CHECK(has(refusal(json), "; give a file that lang-agent bench wrote with --json"));
  }
  CAF_CHECK(has(refusal("{\n\"a\": x}"), "line 2: Invalid value"));
  CAF_CHECK(has(refusal(document({})), "runs must have at least one run"));
}

CAF_TEST(another version of the schema is named) {
  const auto why = refusal(document({run("new")}, "null", "lang-agent-bench/2"));
  CAF_CHECK(has(why, "my.json is of schema lang-agent-bench/2"));
  CAF_CHECK(has(why, "reads lang-agent-bench/1: run the benchmark again"));
}

CAF_TEST(a wrong type is named with its place) {
  const auto with = [](const std::string& members) {
    return refusal(document({run("a", members)}));
  };
  CAF_CHECK(has(with(R"("url2":0,"requests":[])"), "runs[0].requests must be an object"));
  CAF_CHECK(has(with(R"("rate":"fast")"), "runs[0].rate must be a number"));
  CAF_CHECK(has(with(R"("step":1.5)"), "runs[0].step must be a whole number"));
  CAF_CHECK(has(with(R"("errors":{"x":-1})"), "runs[0].errors.x must not be negative"));
  CAF_CHECK(
      has(with(R"("latency_ms":{"itl":{"cdf":[[0,1],[2,1]]}})"), "latency_ms.itl.cdf[1] must be"));
  CAF_CHECK(has(with(R"("latency_ms":{"itl":{"cdf":[[0.5,1],[0.1,1]]}})"), "itl.cdf[1] must not"));
  CAF_CHECK(has(with(R"("timeline":{"interval_s":0})"), "interval_s must be more than 0"));
}

CAF_TEST(a message has no control characters of the document) {
  CAF_CHECK(has(problem([] { report::parse_result("{}", "a\x1b[2Jb"); }), "a?[2Jb is no result"));
  CAF_CHECK(
      has(refusal(document({run("a", R"("errors":{"\u001b[2J":"x"})")})), "errors.?[2J must"));
}

CAF_TEST(very deep nesting is refused) {
  CAF_CHECK(has(refusal(std::string(1'000'000, '[')), "is no JSON"));
}
