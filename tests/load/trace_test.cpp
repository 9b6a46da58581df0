#define CAF_SUITE load_trace
#include "tests/test.hpp"

#include "benchmarks/load/trace.hpp"

#include <sstream>

using namespace lang_agent;

namespace {

std::vector<load::trace_entry> read(const std::string& text) {
  std::istringstream in{text};
  return load::read_trace(in, "t.jsonl");
}

std::string problem_of(const std::string& text) {
  try {
    read(text);
  } catch (const std::runtime_error& e) {
    return e.what();
  }
  return "none";
}

} // namespace

CAF_TEST(requests come in the order of their times) {
  const auto x = read("{\"at\": 2, \"prompt\": \"later\"}\n\n{\"at\":0.5,\"prompt_words\":30}\r\n");
  CAF_REQUIRE_EQUAL(x.size(), 2u);
  CAF_CHECK_EQUAL(x[0].at, 0.5);
  CAF_CHECK_EQUAL(x[0].prompt_words, 30u);
  CAF_CHECK_EQUAL(x[1].prompt, "later");
  CAF_CHECK(!x[1].stream && !x[1].max_tokens);
}

CAF_TEST(all members are read) {
  const auto x =
      read(R"({"at":0,"thread":7,"max_tokens":64,"stream":false,"tenant":"gold","prompt":"hi"})");
  CAF_CHECK_EQUAL(x[0].thread, "7");
  CAF_CHECK(x[0].max_tokens == 64u);
  CAF_CHECK(x[0].stream == false);
  CAF_CHECK_EQUAL(x[0].tenant, "gold");
}

CAF_TEST(a wrong line is named with what is wrong) {
  CAF_CHECK_EQUAL(problem_of("{\"at\":1}\n{\"at\":-1}"),
                  "t.jsonl:2: \"at\" must be seconds since the start, such as 1.5");
  CAF_CHECK_EQUAL(problem_of("{\"prompt\":\"x\"}"),
                  "t.jsonl:1: \"at\" is missing: seconds since the start");
  CAF_CHECK_NOT_EQUAL(problem_of("{\"at\":1,\"tokens\":3}").find("\"tokens\" is none of"),
                      std::string::npos);
  CAF_CHECK_NOT_EQUAL(problem_of("nonsense").find("t.jsonl:1: is no JSON"), std::string::npos);
  CAF_CHECK_EQUAL(problem_of("\n"), "t.jsonl has no requests");
}
