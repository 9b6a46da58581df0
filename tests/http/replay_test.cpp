#define CAF_SUITE replay
#include "tests/test.hpp"

#include "http/answer_encoder.hpp"
#include "http/answer_stream.hpp"
#include "http/json.hpp"
#include "http/replay.hpp"
#include "tests/http/json_tools.hpp"

#include <map>

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

/// What a client puts together from the events of a stream.
struct seen {
  std::map<std::string, std::string> parts; ///< by choice and name
  std::string head;                         ///< id, created and model of all chunks
  std::string usage = "absent";
  std::size_t usages = 0;
  bool done = false;

  bool operator==(const seen&) const = default;
};

std::string unquoted(const rapidjson::Value& x) {
  return {x.GetString(), x.GetStringLength()};
}

void take_calls(seen& out, const std::string& choice, const rapidjson::Value& calls) {
  for (const auto& call : calls.GetArray()) {
    const auto where = choice + "/call " + std::to_string(call["index"].GetUint());
    if (call.HasMember("id"))
      out.parts[where + "/id"] += unquoted(call["id"]);
    if (!call.HasMember("function"))
      continue;
    for (const auto* name : {"name", "arguments"})
      if (call["function"].HasMember(name))
        out.parts[where + "/" + name] += unquoted(call["function"][name]);
  }
}

void take_choice(seen& out, const rapidjson::Value& x) {
  const auto choice = std::to_string(x["index"].GetUint());
  for (const auto& member : x["delta"].GetObject()) {
    const auto name = unquoted(member.name);
    if (name == "tool_calls")
      take_calls(out, choice, member.value);
    else if (member.value.IsString())
      out.parts[choice + "/" + name] += unquoted(member.value);
  }
  if (x["logprobs"].IsObject())
    for (const auto& token : x["logprobs"]["content"].GetArray())
      out.parts[choice + "/logprobs"] += http::dom::dump(token);
  if (x["finish_reason"].IsString())
    out.parts[choice + "/finish_reason"] += unquoted(x["finish_reason"]);
}

seen read(const std::string& stream) {
  seen out;
  std::istringstream lines{stream};
  for (std::string line; std::getline(lines, line);) {
    if (line.empty())
      continue;
    CAF_REQUIRE(line.starts_with("data: "));
    CAF_REQUIRE(!out.done);
    const auto data = line.substr(6);
    if (data == "[DONE]") {
      out.done = true;
      continue;
    }
    const auto chunk = parsed(data);
    CAF_CHECK_EQUAL(at(chunk, "object"), "\"chat.completion.chunk\"");
    out.head = at(chunk, "id") + at(chunk, "created") + at(chunk, "model");
    for (const auto& choice : chunk["choices"].GetArray())
      take_choice(out, choice);
    if (const auto usage = at(chunk, "usage"); usage != "absent" && usage != "null") {
      out.usage = usage;
      ++out.usages;
    }
  }
  return out;
}

/// One answer, as its stream was and as the plain answer of the same turn.
struct both {
  seen streamed;
  std::string plain;
};

both answered(const std::vector<std::string>& events, std::uint32_t choices = 1,
              bool include_usage = false) {
  http::answer_stream upstream{1'000'000, 7, choices};
  http::answer_encoder encoder{"chatcmpl-1", 1700000000, "a \"model\"", include_usage};
  std::string stream;
  for (const auto& event : events) {
    std::vector<choice_delta> deltas;
    if (const auto why = upstream.add(event, deltas))
      CAF_FAIL(event << " is refused: " << why->message);
    for (const auto& delta : deltas)
      encoder.delta(stream, delta);
  }
  const auto result = upstream.finish();
  encoder.finish(stream, result);
  return {read(stream), encoder.whole(result)};
}

std::string event(const std::string& delta, const std::string& members = {}, int choice = 0) {
  return R"({"choices":[{"index":)" + std::to_string(choice) + R"(,"delta":)" + delta + members
         + "}]}";
}

std::string text_event(const std::string& text, int choice = 0) {
  std::string out = R"({"content":)";
  http::append_json_string(out, text);
  return event(out + "}", {}, choice);
}

const std::string stop = R"(,"finish_reason":"stop")";

void check_same(const both& x, bool include_usage = false) {
  const auto replayed = read(http::stream_of(x.plain, include_usage));
  CAF_CHECK_EQUAL(replayed.head, x.streamed.head);
  CAF_CHECK_EQUAL(replayed.usage, x.streamed.usage);
  CAF_CHECK(replayed.done);
  for (const auto& [name, content] : x.streamed.parts) {
    const auto found = replayed.parts.find(name);
    CAF_CHECK_EQUAL(name + " " + (found == replayed.parts.end() ? "is missing" : found->second),
                    name + " " + content);
  }
  CAF_CHECK_EQUAL(replayed.parts.size(), x.streamed.parts.size());
}

} // namespace

CAF_TEST(a stored answer is streamed as its stream was) {
  const auto x = answered({event(R"({"role":"assistant","content":""})"), text_event("Hel"),
                           text_event("lo \"you\"\n"), event("{}", stop)});
  CAF_CHECK_EQUAL(x.streamed.parts.at("0/content"), "Hello \"you\"\n");
  CAF_CHECK_EQUAL(x.streamed.parts.at("0/role"), "assistant");
  CAF_CHECK_EQUAL(x.streamed.parts.at("0/finish_reason"), "stop");
  check_same(x);
}

CAF_TEST(texts of all kinds survive) {
  std::mt19937 random{7};
  for (int i = 0; i < 200; ++i)
    check_same(answered({text_event("x" + random_text(random, 30)),
                         text_event(random_text(random, 30)), event("{}", stop)}));
}

CAF_TEST(tool calls survive) {
  const auto x = answered(
      {event(
           R"({"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]})"),
       event(R"({"tool_calls":[{"index":0,"function":{"arguments":"{\"x\""}}]})"),
       event(R"({"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]})"),
       event(
           R"({"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]})"),
       event("{}", R"(,"finish_reason":"tool_calls")")});
  CAF_CHECK_EQUAL(x.streamed.parts.at("0/call 0/arguments"), R"({"x":1})");
  CAF_CHECK_EQUAL(x.streamed.parts.at("0/call 1/id"), "b");
  CAF_CHECK_EQUAL(x.streamed.parts.at("0/finish_reason"), "tool_calls");
  check_same(x);
}

CAF_TEST(text beside tool calls survives) {
  check_same(answered(
      {text_event("let me see"),
       event(
           R"({"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]})"),
       event("{}", R"(,"finish_reason":"tool_calls")")}));
}

CAF_TEST(several choices survive) {
  const auto x = answered({text_event("one", 0), text_event("uno", 1), text_event(" two", 0),
                           text_event(" due", 1), event("{}", stop, 1),
                           event("{}", R"(,"finish_reason":"length")", 0)},
                          2);
  CAF_CHECK_EQUAL(x.streamed.parts.at("1/content"), "uno due");
  CAF_CHECK_EQUAL(x.streamed.parts.at("0/finish_reason"), "length");
  check_same(x);
}

CAF_TEST(a refusal and reasoning survive) {
  check_same(answered(
      {event(R"({"reasoning_content":"because"})"), text_event("hello"), event("{}", stop)}));
  check_same(answered(
      {event(R"({"refusal":"I can"})"), event(R"({"refusal":"not"})"), event("{}", stop)}));
}

CAF_TEST(log probabilities of a plain answer are streamed) {
  const std::string logprobs = R"({"content":[{"token":"hi","logprob":-1}],"refusal":null})";
  answer x;
  x.choices.push_back(
      {0, R"({"role":"assistant","content":"hi","refusal":null})", "stop", logprobs});
  x.usage.json = R"({"prompt_tokens":1,"completion_tokens":1,"total_tokens":2})";
  const http::answer_encoder encoder{"chatcmpl-1", 1, "m", false};
  const auto replayed = read(http::stream_of(encoder.whole(x), false));
  CAF_CHECK_EQUAL(replayed.parts.at("0/content"), "hi");
  CAF_CHECK_EQUAL(replayed.parts.at("0/logprobs"), R"({"token":"hi","logprob":-1})");
}

CAF_TEST(log probabilities of a stream survive) {
  const auto with = [](const std::string& text, const std::string& token) {
    return event(R"({"content":")" + text + "\"}",
                 R"(,"logprobs":{"content":[)" + token + R"(],"refusal":null})");
  };
  const auto x = answered({with("he", R"({"token":"he","logprob":-0.25})"),
                           with("llo", R"({"token":"llo","top_logprobs":[]})"), event("{}", stop)});
  CAF_CHECK_EQUAL(x.streamed.parts.at("0/logprobs"),
                  R"({"token":"he","logprob":-0.25}{"token":"llo","top_logprobs":[]})");
  check_same(x);
}

CAF_TEST(an empty answer is one) {
  check_same(answered({event(R"({"role":"assistant","content":""})"), event("{}", stop)}));
}

CAF_TEST(usage comes on request only) {
  const std::vector<std::string> events{
      text_event("hi"), event("{}", stop),
      R"({"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}})"};
  const auto with = answered(events, 1, true);
  CAF_CHECK_EQUAL(with.streamed.usage,
                  R"({"prompt_tokens":3,"completion_tokens":4,"total_tokens":7})");
  check_same(with, true);
  CAF_CHECK_EQUAL(read(http::stream_of(with.plain, true)).usages, 1u);
  check_same(answered(events));
  CAF_CHECK_EQUAL(read(http::stream_of(with.plain, false)).usages, 0u);
}

CAF_TEST(an estimated usage is the same in a replay) {
  check_same(answered({text_event("some words"), event("{}", stop)}, 1, true), true);
}

CAF_TEST(other members of the answer are in its chunks) {
  const auto x = answered(
      {R"({"choices":[{"index":0,"delta":{"content":"x"}}],"service_tier":"default"})",
       R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"service_tier":"default"})"});
  CAF_CHECK(x.plain.find(R"("service_tier":"default")") != std::string::npos);
  CAF_CHECK(http::stream_of(x.plain, false).find(R"("service_tier":"default")")
            != std::string::npos);
}

CAF_TEST(what is no answer ends as an error) {
  for (const auto* plain : {"", "{", "[]", "null", R"({"choices":[]})"}) {
    const auto stream = http::stream_of(plain, false);
    CAF_CHECK(stream.starts_with("data: {\"error\":"));
    CAF_CHECK(stream.find("[DONE]") == std::string::npos);
  }
}

CAF_TEST(a body is known by every byte of it) {
  const std::string body = R"({"model":"m"})";
  CAF_CHECK(http::body_digest(body) == http::body_digest(std::string{body}));
  CAF_CHECK(!(http::body_digest(body) == http::body_digest(body + " ")));
  CAF_CHECK(!(http::body_digest(body) == http::body_digest(R"({"model":"n"})")));
  CAF_CHECK(!(http::body_digest("") == digest{}));
}
