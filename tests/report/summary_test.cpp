#define CAF_SUITE report_summary
#include "tests/test.hpp"

#include "tests/report/documents.hpp"

using namespace lang_agent;
using namespace lang_agent::report::test;
using report::summary_table;

CAF_TEST(a run without figures is shown as far as it goes) {
  const auto out = summary_table(document({run("new")}));
  CAF_CHECK(out.starts_with("new\n"));
  CAF_CHECK_EQUAL(row(out, "errors"), "errors none");
  CAF_CHECK(!has(out, "latency"));
  CAF_CHECK(!has(out, "goodput"));
  CAF_CHECK(!has(out, "server  "));
}

CAF_TEST(latencies that a target has not are left out) {
  const auto out = summary_table(document({run("new", figures(100, 7))}));
  CAF_CHECK_EQUAL(row(out, "TTFT"), "TTFT 1.00 - - - 7.00 - 8.00");
  CAF_CHECK(!has(out, "TPOT"));
  CAF_CHECK(!has(out, "lowest round"));
}

CAF_TEST(rounds are merged to medians with the lowest and the highest) {
  const auto out = summary_table(document(
      {run("new", figures(90, 7)), run("new", figures(100, 9)), run("new", figures(99, 8))}));
  CAF_CHECK(has(out, "3 rounds of 10 s"));
  CAF_CHECK_EQUAL(row(out, "throughput"), "throughput 99.0 (90.0-100) requests/s");
  CAF_CHECK_EQUAL(row(out, "TTFT"), "TTFT 1.00 - - - 8.00 - 10.0");
  CAF_CHECK_EQUAL(row(out, "lowest round"), "lowest round 1.00 - - - 7.00 - 8.00");
  CAF_CHECK_EQUAL(row(out, "highest round"), "highest round 1.00 - - - 9.00 - 10.0");
  CAF_CHECK(has(row(out, "requests"), "270 completed, 30 failed"));
}

CAF_TEST(rounds that look alike have no range) {
  const auto out =
      summary_table(document({run("a", figures(90, 7)), run("a", figures(90.001, 7))}));
  CAF_CHECK_EQUAL(row(out, "throughput"), "throughput 90.0 requests/s");
}

CAF_TEST(the median of two rounds lies between them) {
  const auto out = summary_table(document({run("a", figures(90, 7)), run("a", figures(100, 7))}));
  CAF_CHECK(has(out, "95.0 (90.0-100) requests/s"));
}

CAF_TEST(targets and loads are not merged) {
  const auto out =
      summary_table(document({run("old", figures(90, 7)), run("new", figures(100, 9))}));
  CAF_CHECK(has(out, "old\n") && has(out, "\nnew\n"));
  CAF_CHECK(!has(out, "rounds of"));
}

CAF_TEST(errors of all rounds come by kind with the most frequent first) {
  const auto out = summary_table(document(
      {run("a", R"("errors":{"timeout":1,"connect":2})"), run("a", R"("errors":{"timeout":4})")}));
  CAF_CHECK_EQUAL(row(out, "errors"), "errors 5 timeout, 2 connect");
}

CAF_TEST(tenants are shown when there are several) {
  const auto one = R"("tenants":[{"name":"alice","completed":3}])";
  const auto two =
      R"("tenants":[{"name":"alice","completed":3},{"name":"bob","failed":1,"e2e_p50_ms":4}])";
  CAF_CHECK(!has(summary_table(document({run("a", one)})), "alice"));
  const auto out = summary_table(document({run("a", two), run("a", two)}));
  CAF_CHECK_EQUAL(row(out, "alice"), "alice 6 0 0 - -");
  CAF_CHECK_EQUAL(row(out, "bob"), "bob 0 2 0 4.00 -");
}

CAF_TEST(a sweep is a table with its knee marked and shown in full) {
  const auto step = [](int n) {
    const auto i = std::to_string(n);
    return run("main", figures(100 * n, n, R"("step":)" + i + R"(,"rate":)" + i + "00"));
  };
  const auto out = summary_table(
      document({step(1), step(2), step(3)}, R"({"knee_step":2,"best_step":3,"why":"p99 grew"})"));
  CAF_CHECK_EQUAL(row(out, "200 "), "200 200 - - - 2.00 - - - 10.0 knee");
  CAF_CHECK(row(out, "300 ").ends_with("10.0 best"));
  CAF_CHECK(has(row(out, "load"), "200 requests/s"));
  CAF_CHECK_EQUAL(row(out, "knee"), "knee p99 grew");
  CAF_CHECK_EQUAL(row(out, "TTFT"), "TTFT 1.00 - - - 2.00 - 3.00");
}

CAF_TEST(no line is wider than a terminal of 100 columns) {
  CAF_CHECK(widest_line(summary_table(fixture("rounds.json"))) <= 100);
  CAF_CHECK(widest_line(summary_table(fixture("sweep.json"))) <= 100);
  const std::string name(300, 'n');
  const auto out = summary_table(document({run(name, R"("errors":{")" + name
                                                         + R"(":1,"timeout":2},)"
                                                           R"("tenants":[{"name":"a"},{"name":")"
                                                         + name + R"("}])")}));
  CAF_CHECK(widest_line(out) <= 100);
}

CAF_TEST(names cannot steer the terminal) {
  const auto out =
      summary_table(document({run(R"(\u001b[31m\u009b\u0007x\n)", R"("errors":{"\u001b]0;":1})")}));
  CAF_CHECK(out.starts_with("?[31m??x?\n"));
  CAF_CHECK(!has(out, "\x1b"));
}
