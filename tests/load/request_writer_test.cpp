#define CAF_SUITE load_request_writer
#include "tests/test.hpp"

#include "benchmarks/load/request_writer.hpp"

#include <rapidjson/document.h>

using namespace lang_agent;
using load::load_plan;
using load::request_writer;
using load::session;

namespace {

base_url target() {
  base_url out;
  out.host = "localhost";
  out.port = 8000;
  out.authority = "localhost:8000";
  out.path = "/v1";
  return out;
}

struct written {
  std::string head;
  rapidjson::Document body;
};

written write(const load_plan& plan, const session& from, const load::turn& asked,
              const std::string& run = "k3x9pq") {
  const auto text = request_writer{plan, target(), run}.request(from, asked);
  const auto end = text.find("\r\n\r\n");
  written out;
  out.head = text.substr(0, end + 2);
  out.body.Parse(text.c_str() + end + 4);
  CAF_REQUIRE(!out.body.HasParseError());
  CAF_CHECK_NOT_EQUAL(
      out.head.find("Content-Length: " + std::to_string(text.size() - end - 4) + "\r\n"),
      std::string::npos);
  return out;
}

bool has_line(const written& x, const std::string& line) {
  return x.head.find("\r\n" + line + "\r\n") != std::string::npos;
}

} // namespace

CAF_TEST(a request is one that any server understands) {
  load_plan plan;
  plan.tenants = {{"a", "sk-1"}};
  const auto x = write(plan, {1, 0, 1}, {"~k3x9pq/1/1~ \"hi\"", 64, true});
  CAF_CHECK(x.head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"));
  CAF_CHECK(has_line(x, "Host: localhost:8000"));
  CAF_CHECK(has_line(x, "Authorization: Bearer sk-1"));
  CAF_CHECK_EQUAL(std::string{x.body["messages"][0]["content"].GetString()}, "~k3x9pq/1/1~ \"hi\"");
  CAF_CHECK_EQUAL(x.body["max_tokens"].GetInt(), 64);
  CAF_CHECK(x.body["stream"].GetBool());
  CAF_CHECK(x.body["stream_options"]["include_usage"].GetBool());
  CAF_CHECK(!x.body.HasMember("thread_id"));
}

CAF_TEST(options shape the request) {
  load_plan plan;
  plan.ask_usage = false;
  plan.history = load::history_kind::server;
  plan.thread_field = "session";
  plan.extra_body = R"("temperature":0)";
  plan.headers = {{"authorization", "Basic x"}};
  plan.tenants = {{"a", "sk-1"}};
  const auto x = write(plan, {5, 0, 1}, {"hi", {}, true});
  CAF_CHECK(has_line(x, "authorization: Basic x"));
  CAF_CHECK_EQUAL(x.head.find("sk-1"), std::string::npos);
  CAF_CHECK(x.body["session"].IsUint64());
  CAF_CHECK_EQUAL(x.body["temperature"].GetInt(), 0);
  CAF_CHECK(!x.body.HasMember("stream_options"));
  CAF_CHECK(!x.body.HasMember("max_tokens"));
  CAF_CHECK(!write(plan, {5, 0, 1}, {"hi", {}, false}).body.HasMember("stream"));
}

CAF_TEST(each run has threads of its own) {
  load_plan plan;
  plan.history = load::history_kind::server;
  const auto id = [&](std::uint64_t number, const std::string& run) {
    return write(plan, {number, 0, 1}, {"hi", {}, true}, run).body["thread_id"].GetUint64();
  };
  CAF_CHECK_EQUAL(id(2, "aaaaaa"), id(1, "aaaaaa") + 1);
  CAF_CHECK_NOT_EQUAL(id(1, "aaaaaa"), id(1, "aaaaab"));
  CAF_CHECK(id(9'999'999, "zzzzzz") < (std::uint64_t{1} << 53));
}

CAF_TEST(a client that keeps the history resends it) {
  load_plan plan;
  session of{1, 0, 1};
  request_writer::remember(of, {"first", {}, true}, "answer \"one\"");
  request_writer::remember(of, {"second", {}, true}, "answer two");
  const auto x = write(plan, of, {"third", {}, true});
  const auto& messages = x.body["messages"];
  CAF_REQUIRE_EQUAL(messages.Size(), 5u);
  CAF_CHECK_EQUAL(std::string{messages[1]["role"].GetString()}, "assistant");
  CAF_CHECK_EQUAL(std::string{messages[1]["content"].GetString()}, "answer \"one\"");
  CAF_CHECK_EQUAL(std::string{messages[4]["content"].GetString()}, "third");
}

CAF_TEST(a prompt begins with its marker) {
  load_plan plan;
  const request_writer x{plan, target(), "k3x9pq"};
  session of{17, 0, 1};
  of.turns = 2;
  CAF_CHECK_EQUAL(x.prompt(of, "some words"), "~k3x9pq/17/2~ some words");
  CAF_CHECK_EQUAL(x.prompt(of, ""), "~k3x9pq/17/2~");
}

CAF_TEST(only an object is more of a body) {
  CAF_CHECK(load::members_of("{}") == std::optional<std::string>{""});
  CAF_CHECK(load::members_of(R"( {"a": {"b": 1}} )")
            == std::optional<std::string>{R"("a": {"b": 1})"});
  CAF_CHECK(!load::members_of("[1]"));
  CAF_CHECK(!load::members_of("{"));
}
