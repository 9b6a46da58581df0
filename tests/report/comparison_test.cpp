#define CAF_SUITE report_comparison
#include "tests/test.hpp"

#include "tests/report/documents.hpp"

using namespace lang_agent;
using namespace lang_agent::report::test;

namespace {

std::string compare(const std::vector<report::labelled_result>& x) {
  return report::comparison_table(x);
}

/// The table of two targets of one document.
std::string of_targets(const std::string& base, const std::string& other) {
  return compare({{"x.json", document({run("old", base), run("new", other)})}});
}

std::string sweep_of(std::initializer_list<int> rates) {
  std::vector<std::string> runs;
  for (const auto rate : rates)
    runs.push_back(run("main", figures(rate, 5,
                                       R"("step":)" + std::to_string(runs.size() + 1)
                                           + R"(,"rate":)" + std::to_string(rate))));
  return document(runs, R"({"knee_step":1,"best_step":1,"why":""})");
}

} // namespace

CAF_TEST(figures stand beside the first target with their ratio) {
  const auto out = of_targets(figures(100, 8), figures(120, 10));
  CAF_CHECK(has(out, "Ratios are to old, the base."));
  CAF_CHECK_EQUAL(row(out, "requests/s"), "requests/s higher 100 120 1.20x better");
  CAF_CHECK_EQUAL(row(out, "p99"), "p99 lower 8.00 10.0 1.25x worse");
  CAF_CHECK_EQUAL(row(out, "failed, %"), "failed, % lower 10.0 10.0 1.00x ~");
}

CAF_TEST(the first result is the base of the others) {
  const auto of = [](double speed) { return document({run("main", figures(speed, 8))}); };
  const auto out = compare({{"a.json", of(100)}, {"b.json", of(50)}, {"c.json", of(200)}});
  CAF_CHECK(has(out, "Ratios are to a.json"));
  CAF_CHECK(has(out, "b.json beside a.json\n"));
  CAF_CHECK(has(out, "0.50x worse"));
  CAF_CHECK(has(out, "c.json beside a.json\n"));
  CAF_CHECK(has(out, "2.00x better"));
}

CAF_TEST(targets of several results have the name of their result) {
  const auto two = document({run("old"), run("new")});
  CAF_CHECK(has(compare({{"a.json", two}, {"b.json", two}}), "b.json: new beside a.json: old"));
}

CAF_TEST(results of one name are told apart) {
  const auto one = document({run("main")});
  CAF_CHECK(has(compare({{"a.json", one}, {"a.json", one}}), "a.json (2) beside a.json\n"));
}

CAF_TEST(rounds whose ranges overlap show no difference) {
  const auto compare_rounds = [](double low, double high) {
    return compare({{"a", document({run("old", figures(90, 8)), run("new", figures(low, 8)),
                                    run("new", figures(high, 8)), run("old", figures(100, 8))})}});
  };
  CAF_CHECK_EQUAL(row(compare_rounds(99, 120), "requests/s"),
                  "requests/s higher 95.0 (90.0-100) 110 (99.0-120) 1.15x ~");
  CAF_CHECK(has(row(compare_rounds(101, 120), "requests/s"), "better"));
}

CAF_TEST(few rounds leave a doubt about what differs) {
  const auto of_rounds = [](std::size_t n) {
    std::vector<std::string> runs(n, run("old"));
    runs.insert(runs.end(), n, run("new"));
    return compare({{"a", document(runs)}});
  };
  CAF_CHECK(has(of_rounds(1), "Differences may be chance, with 1 round only"));
  CAF_CHECK(has(of_rounds(3), "with 3 rounds only: measure with --rounds 4 or more."));
  CAF_CHECK(!has(of_rounds(4), "chance"));
}

CAF_TEST(a figure that one of them has not has no ratio) {
  const auto out = of_targets(figures(100, 8), R"("rate":100)");
  CAF_CHECK_EQUAL(row(out, "requests/s"), "requests/s higher 100 - -");
}

CAF_TEST(nothing is divided by zero) {
  CAF_CHECK_EQUAL(row(of_targets(figures(0, 8), figures(0, 8)), "requests/s"),
                  "requests/s higher 0 0 1.00x ~");
  CAF_CHECK_EQUAL(row(of_targets(figures(0, 8), figures(5, 8)), "requests/s"),
                  "requests/s higher 0 5.00 better");
}

CAF_TEST(different loads are said to be not comparable) {
  const auto base = R"("rate":100,"concurrency":null)";
  CAF_CHECK(!has(of_targets(base, base), "Not comparable"));
  CAF_CHECK(has(of_targets(base, R"("rate":200)"),
                "Not comparable: old and new differ in rate (100, 200)."));
  CAF_CHECK(has(of_targets(base, R"("rate":100,"concurrency":8)"), "concurrency (none, 8)"));
  // The first of equal members counts.
  CAF_CHECK(has(of_targets(base, R"("rate":100,"loop":"closed")"), "loop (open, closed)"));
  CAF_CHECK(
      has(of_targets(base, R"("rate":100,"stream":false)"), "stream (streamed, not streamed)"));
  CAF_CHECK(has(of_targets(base, R"("rate":100,"turns":3)"), "turns (1, 3)"));
}

CAF_TEST(sweeps are compared where both had the same load) {
  const auto out = compare({{"a", sweep_of({100, 200})}, {"b", sweep_of({200, 400})}});
  CAF_CHECK(has(out, "b beside a, 200 requests/s\n"));
  CAF_CHECK(!has(out, "100 requests/s"));
  CAF_CHECK(!has(out, "Not comparable"));
}

CAF_TEST(sweeps without a common load are not comparable) {
  const auto out = compare({{"a", sweep_of({100, 200})}, {"b", sweep_of({300})}});
  CAF_CHECK(has(out, "Not comparable: a and b differ in load (none in common)."));
  CAF_CHECK(!has(out, "beside a"));
}

CAF_TEST(one target alone has nothing to be compared with) {
  CAF_CHECK(has(compare({{"a", document({run("main")})}}), "There is only main"));
  CAF_CHECK(has(problem([] { compare({}); }), "give at least one"));
}

CAF_TEST(no line is wider than a terminal of 100 columns) {
  CAF_CHECK(widest_line(compare({{"a", fixture("rounds.json")}})) <= 100);
  CAF_CHECK(widest_line(compare({{"a", fixture("sweep.json")}, {"b", fixture("sweep.json")}}))
            <= 100);
  const std::string name(300, 'n');
  const auto tenants =
      R"("tenants":[{"name":"a"},{"name":")" + name + R"(","e2e_p50_ms":1}],"rate":)";
  CAF_CHECK(widest_line(compare({{name, document({run("m", tenants + std::string{"1"})})},
                                 {name, document({run("m", tenants + std::string{"2"})})}}))
            <= 100);
}
