#define CAF_SUITE report_html
#include "tests/test.hpp"

#include "tests/report/documents.hpp"

#include <algorithm>
#include <regex>

using namespace lang_agent;
using namespace lang_agent::report::test;

namespace {

std::string html(const std::vector<report::labelled_result>& x) {
  return report::html_report(x);
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (auto i = text.find(part); i != text.npos; i = text.find(part, i + part.size()))
    ++n;
  return n;
}

/// What stands in the block of data.
std::string data_of(const std::string& page) {
  const std::string open = "<script type=\"application/json\" id=\"data\">";
  const auto start = page.find(open) + open.size();
  return page.substr(start, page.find("</script>", start) - start);
}

const std::string hostile =
    R"(</script><script>alert(1)</script><!--<script>&amp;<img src=x onerror=alert(2)>]]>{{style}})";

} // namespace

CAF_TEST(the page holds all its parts) {
  const auto page = html({{"rounds.json", fixture("rounds.json")}});
  CAF_CHECK(page.starts_with("<!doctype html>"));
  CAF_CHECK(has(page, "Chart.js v3"));
  CAF_CHECK(has(page, "MIT License"));
  CAF_CHECK(has(data_of(page), R"("name":"old")"));
  CAF_CHECK(!has(page, "{{style}}"));
}

CAF_TEST(the page refers to nothing outside of itself) {
  const auto page = html({{"sweep.json", fixture("sweep.json")}});
  const auto data = page.find("<script type=\"application/json\"");
  const auto markup = page.substr(0, data); // what comes after it are scripts alone
  CAF_CHECK(!std::regex_search(markup, std::regex{"\\bsrc *=|@import|url\\("}));
  CAF_CHECK_EQUAL(count(markup, "href="), 1u);
  CAF_CHECK(has(markup, "<link rel=\"icon\" href=\"data:,\">"));
  CAF_CHECK(has(markup, "default-src 'none'"));
  CAF_CHECK_EQUAL(count(page.substr(data), "<link"), 0u);
  CAF_CHECK(!has(page, "sourceMappingURL"));
  for (const auto* call :
       {"fetch(", "XMLHttpRequest", "WebSocket", "EventSource", "sendBeacon", "import("})
    CAF_CHECK(!has(page, call));
}

CAF_TEST(our scripts set data as text only) {
  const auto page = html({{"x", document({run("main")})}});
  const auto ours = page.substr(page.rfind("Plots: each is a figure"));
  for (const auto* unsafe :
       {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("})
    CAF_CHECK(!has(ours, unsafe));
}

CAF_TEST(names of users can neither end the block of data nor be markup) {
  std::string escaped;
  for (const auto x : hostile)
    escaped += x == '"' ? "\\\"" : std::string{x};
  const auto plain = html({{"x", document({run("main")})}});
  const auto page = html(
      {{hostile, document({run(escaped, R"("errors":{")" + escaped + R"(":1},"tenants":[{"name":")"
                                            + escaped + R"("}])")})}});
  for (const auto* markup : {"<script", "</script", "<!--", "<img"})
    CAF_CHECK_EQUAL(count(page, markup), count(plain, markup));
  const auto data = data_of(page);
  CAF_CHECK_EQUAL(data.find_first_of("<>&"), std::string::npos);
  CAF_CHECK(has(data, R"(\u003c/script\u003e)"));
  CAF_CHECK(has(data, "{{style}}")); // it stays what it is, and no part of the page comes in
}

CAF_TEST(distributions of rounds are merged to their medians between the extremes) {
  const auto of = [](const char* cdf) {
    return run("main", std::string{R"("latency_ms":{"ttft":{"cdf":)"} + cdf + "}}");
  };
  const auto data = data_of(html({{"x", document({of("[[0,1],[0.5,4],[1,6]]"), of("[[0,2],[1,8]]"),
                                                  of("[[0,3],[0.5,9],[1,20]]")})}}));
  CAF_CHECK(has(data, R"("distributions":[[[[0.0,1.0],[0.5,5.0],[1.0,20.0]]],)"));
}

CAF_TEST(rounds of a timeline come one after the other) {
  const auto of = [](const char* n) {
    return run("main", std::string{R"("timeline":{"interval_s":0.5,"completed":[)"} + n + "]}");
  };
  const auto data = data_of(html({{"x", document({of("1,2"), of("3")})}}));
  CAF_CHECK(has(data, R"("seconds":[0.25,0.75,1.0,1.25,1.5])"));
  CAF_CHECK(has(data, R"("completed":[2.0,4.0,null,6.0,null])"));
  CAF_CHECK(has(data, R"({"name":"round 2","start":1.0})"));
}

CAF_TEST(figures carry their ratio to the first target) {
  const auto data =
      data_of(html({{"x", document({run("old", figures(100, 8)), run("new", figures(50, 8))})}}));
  CAF_CHECK(has(data, R"("text":"50.0","value":50.0,"ratio":"0.50x worse","verdict":"worse")"));
}

CAF_TEST(a page begins where most targets have figures) {
  const auto step = [](int n, int rate) {
    return run(
        "main",
        figures(rate, 8, R"("step":)" + std::to_string(n) + R"(,"rate":)" + std::to_string(rate)));
  };
  const auto knee = R"({"knee_step":2})";
  const auto swept = document({step(1, 100), step(2, 200)}, knee);
  CAF_CHECK(has(data_of(html({{"x", swept}})), R"("main_view":1)"));
  CAF_CHECK(has(data_of(html({{"x", swept}, {"y", document({run("main", figures(100, 8))})}})),
                R"("main_view":0)"));
}

CAF_TEST(what is no result gives no page) {
  CAF_CHECK(has(problem([] { html({{"a.json", "{}"}}); }), "a.json is no result"));
  CAF_CHECK(has(problem([] { html({}); }), "give at least one"));
}
