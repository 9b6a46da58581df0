#define CAF_SUITE load_answer
#include "tests/test.hpp"

#include "benchmarks/load/answer.hpp"

using namespace lang_agent;

using load::expectation;

namespace {

const load::marker own{"k3x9pq", 17, 2};

expectation expects(bool stream, bool own_marker = false) {
  expectation out;
  out.stream = stream;
  out.own_marker = own_marker;
  out.asked = own;
  return out;
}

struct judgement {
  std::string error;
  std::string complaint;
  std::uint64_t chunks = 0;
  std::uint64_t tokens = 0;
};

judgement judge(const expectation& wanted, load::response_head head, const std::string& body,
                bool whole, std::size_t piece) {
  load::chunk_reader reader;
  load::answer x{wanted};
  x.begin(head);
  for (std::size_t at = 0; at < body.size(); at += piece)
    x.add(std::string_view{body}.substr(at, piece), reader);
  auto error = x.finish(whole, reader);
  return {error, x.complaint(), x.chunks(), x.output_tokens()};
}

judgement stream(const std::string& body, bool whole = true, bool own_marker = false) {
  const auto out = judge(expects(true, own_marker), {200, true}, body, whole, 1000);
  for (const std::size_t piece : {1, 5})
    CAF_REQUIRE_EQUAL(judge(expects(true, own_marker), {200, true}, body, whole, piece).error,
                      out.error);
  return out;
}

judgement plain(const std::string& body, int status = 200, bool whole = true) {
  return judge(expects(false), {status, false}, body, whole, 10);
}

std::string event(const std::string& data) {
  return "data: " + data + "\n\n";
}

std::string delta(const std::string& text) {
  return event(R"({"choices":[{"index":0,"delta":{"content":")" + text
               + R"("},"finish_reason":null}]})");
}

const std::string done = event("[DONE]");
const std::string role = event(R"({"choices":[{"index":0,"delta":{"role":"assistant"}}]})");

std::string message(const std::string& text, const std::string& finish_reason = R"("stop")") {
  return R"({"choices":[{"message":{"role":"assistant","content":")" + text
         + R"("},"finish_reason":)" + finish_reason
         + R"(}],"usage":{"prompt_tokens":7,"completion_tokens":3}})";
}

} // namespace

CAF_TEST(a whole stream is good and its chunks with content count) {
  const auto x = stream(role + delta("Hel") + ": ping\n\n" + delta("lo") + done);
  CAF_CHECK_EQUAL(x.error, "");
  CAF_CHECK_EQUAL(x.chunks, 2u);
  CAF_CHECK_EQUAL(x.tokens, 2u);
}

CAF_TEST(tokens are counted as the target says) {
  const auto usage = event(
      R"({"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":31,"x":{"completion_tokens":1}}})");
  CAF_CHECK_EQUAL(stream(delta("a") + usage + done).tokens, 31u);
}

CAF_TEST(what a model thinks aloud counts as content) {
  const auto thought =
      event(R"({"choices":[{"delta":{"content":null,"reasoning_content":"hm"}}]})");
  CAF_CHECK_EQUAL(stream(thought + done).chunks, 1u);
}

CAF_TEST(streams that end wrongly are errors) {
  CAF_CHECK_EQUAL(stream(delta("a"), false).error, "cut_stream");
  CAF_CHECK_EQUAL(stream(delta("a") + done, false).error, "cut_stream");
  CAF_CHECK_EQUAL(stream(delta("a")).error, "no_done");
  CAF_CHECK_EQUAL(stream(role + done).error, "empty_answer");
  CAF_CHECK_EQUAL(stream(delta("a") + event(R"({"choices":[)") + done).error, "bad_json");
  CAF_CHECK_EQUAL(stream(delta("a") + event("[1]") + done).error, "bad_json");
}

CAF_TEST(an error inside of a stream is named by its code) {
  const auto x = stream(
      delta("a") + event(R"({"error":{"message":"no more","type":"t","code":"overloaded"}})"));
  CAF_CHECK_EQUAL(x.error, "error_in_stream overloaded");
  CAF_CHECK_EQUAL(x.complaint, "no more");
}

CAF_TEST(words of another thread outweigh all other errors) {
  CAF_CHECK_EQUAL(stream(delta("You said ~k3x9pq/18/1~") + done).error, "foreign_words");
  CAF_CHECK_EQUAL(stream(delta("~k3x9") + delta("pq/18/1~") + done).error, "foreign_words");
  CAF_CHECK_EQUAL(stream(delta("~k3x9pq/18/1~"), false).error, "foreign_words");
  CAF_CHECK_EQUAL(plain(message("~k3x9pq/18/1~")).error, "foreign_words");
}

CAF_TEST(an echo is missed only where it is expected) {
  CAF_CHECK_EQUAL(stream(delta("hello") + done).error, "");
  CAF_CHECK_EQUAL(stream(delta("hello") + done, true, true).error, "no_echo");
  CAF_CHECK_EQUAL(stream(delta("~k3x9pq/17/1~") + done, true, true).error, "no_echo");
  CAF_CHECK_EQUAL(stream(delta("~k3x9pq/17/2~") + done, true, true).error, "");
}

CAF_TEST(plain answers are judged as well) {
  const auto good = plain(message("hello"));
  CAF_CHECK_EQUAL(good.error, "");
  CAF_CHECK_EQUAL(good.tokens, 3u);
  CAF_CHECK_EQUAL(plain(message("hello"), 200, false).error, "cut_answer");
  CAF_CHECK_EQUAL(plain(message("")).error, "empty_answer");
  CAF_CHECK_EQUAL(plain(message("hello", "null")).error, "no_finish");
  CAF_CHECK_EQUAL(plain("{\"choices\":").error, "bad_json");
  CAF_CHECK_EQUAL(plain(R"({"error":{"code":"x"}})").error, "error_in_answer x");
}

CAF_TEST(another type than a stream is told where a stream was asked for) {
  const auto wanted = expects(true);
  CAF_CHECK_EQUAL(judge(wanted, {200, false}, message("hello"), true, 100).error, "wrong_type");
  CAF_CHECK_EQUAL(judge(wanted, {200, false}, "<html></html>", true, 100).error, "wrong_type");
}

CAF_TEST(refusals are named by status and code) {
  const auto x = plain(
      R"({"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}})", 429);
  CAF_CHECK_EQUAL(x.error, "http_429 rate_limit_exceeded");
  CAF_CHECK_EQUAL(x.complaint, "slow down");
  CAF_CHECK_EQUAL(plain(R"({"error":{"type":"server_error","code":null}})", 500).error,
                  "http_500 server_error");
  CAF_CHECK_EQUAL(plain("oops", 503).error, "http_503");
  CAF_CHECK_EQUAL(plain(R"({"detail":"Not Found"})", 404).complaint, "Not Found");
}

CAF_TEST(no answer at all is an error) {
  load::chunk_reader reader;
  load::answer x{expects(true)};
  CAF_CHECK_EQUAL(x.finish(false, reader), "no_answer");
}

CAF_TEST(deep nesting is read without harm) {
  CAF_CHECK_EQUAL(plain(std::string(100'000, '[')).error, "bad_json");
  CAF_CHECK_EQUAL(
      plain("{\"a\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}").error,
      "empty_answer");
}
