#define CAF_SUITE answer_encoder
#include "tests/test.hpp"

#include "http/answer_encoder.hpp"
#include "http/answer_stream.hpp"
#include "http/json.hpp"
#include "http/sse_parser.hpp"
#include "http/upstream_codec.hpp"
#include "tests/http/json_tools.hpp"

#include <set>

using namespace lang_agent;
using namespace lang_agent::test;
using http::answer_encoder;
using rapidjson::Value;

namespace {

/// The data of a stream's events.
std::vector<std::string> events_of(const std::string& bytes) {
  std::vector<std::string> out;
  http::sse_parser parser{1'000'000};
  CAF_CHECK(parser.feed(bytes, [&](std::string_view data) { out.emplace_back(data); }));
  return out;
}

bool is_one_of_five(const std::string& reason) {
  static const std::set<std::string> known{R"("stop")", R"("length")", R"("tool_calls")",
                                           R"("content_filter")", R"("function_call")"};
  return known.contains(reason);
}

/// OpenAI's required fields of both objects, as far as they are the same.
void check_envelope(const Value& x, const std::string& object) {
  CAF_CHECK_EQUAL(at(x, "id"), R"("chatcmpl-1")");
  CAF_CHECK_EQUAL(at(x, "object"), "\"" + object + "\"");
  CAF_CHECK_EQUAL(at(x, "created"), "1700000000");
  CAF_CHECK_EQUAL(at(x, "model"), R"("my \"model\"")");
  CAF_REQUIRE(x["choices"].IsArray());
}

void check_usage(const Value& x) {
  for (const char* name : {"prompt_tokens", "completion_tokens", "total_tokens"})
    CAF_CHECK(x.HasMember(name) && x[name].IsUint64());
}

/// Required by CreateChatCompletionResponse.
void check_completion(const Value& x) {
  check_envelope(x, "chat.completion");
  check_usage(x["usage"]);
  for (const auto& choice : x["choices"].GetArray()) {
    CAF_CHECK(choice["index"].IsUint());
    CAF_CHECK(is_one_of_five(at(choice, "finish_reason")));
    CAF_CHECK(choice["logprobs"].IsNull() || choice["logprobs"].IsObject());
    const auto& message = choice["message"];
    CAF_CHECK_EQUAL(at(message, "role"), R"("assistant")");
    CAF_CHECK(message["content"].IsNull() || message["content"].IsString());
    CAF_CHECK(message["refusal"].IsNull() || message["refusal"].IsString());
    if (!message.HasMember("tool_calls"))
      continue;
    for (const auto& call : message["tool_calls"].GetArray()) {
      CAF_CHECK(call["id"].IsString());
      CAF_CHECK_EQUAL(at(call, "type"), R"("function")");
      CAF_CHECK(call["function"]["name"].IsString());
      CAF_CHECK(call["function"]["arguments"].IsString());
    }
  }
}

struct call {
  std::string id, name, arguments;
  bool operator==(const call&) const = default;
};

/// One choice, as a client puts it together.
struct reply {
  std::string content, refusal, reasoning;
  std::map<unsigned, call> calls;
  bool operator==(const reply&) const = default;
};

/// What a client reassembles, in the way of OpenAI's SDKs: strings are appended.
struct client {
  std::map<unsigned, reply> messages;
  std::map<unsigned, std::string> reasons;
  std::string usage;
  bool done = false;

  void read(const std::string& bytes, bool usage_wanted) {
    for (const auto& data : events_of(bytes)) {
      CAF_CHECK(!done);
      if (data == "[DONE]")
        done = true;
      else
        chunk(parsed(data), usage_wanted);
    }
  }

  /// Checks what CreateChatCompletionStreamResponse requires, too.
  void chunk(const Value& x, bool usage_wanted) {
    check_envelope(x, "chat.completion.chunk");
    const auto count = x["choices"].Size();
    CAF_CHECK_EQUAL(at(x, "usage") != "absent", usage_wanted);
    if (count == 0) {
      check_usage(x["usage"]);
      usage = at(x, "usage");
    } else if (usage_wanted) {
      CAF_CHECK_EQUAL(at(x, "usage"), "null");
    }
    for (const auto& choice : x["choices"].GetArray()) {
      const auto index = choice["index"].GetUint();
      const auto& delta = choice["delta"];
      CAF_CHECK(reasons[index].empty()); // nothing follows the finish
      CAF_CHECK(choice.HasMember("logprobs"));
      CAF_CHECK_EQUAL(at(delta, "role"), messages.contains(index) ? "absent" : R"("assistant")");
      auto& so_far = messages[index];
      if (const auto reason = at(choice, "finish_reason"); reason != "null") {
        CAF_CHECK(is_one_of_five(reason));
        reasons[index] = reason;
      }
      append(so_far.content, delta, "content");
      append(so_far.refusal, delta, "refusal");
      append(so_far.reasoning, delta, "reasoning_content");
      if (!delta.HasMember("tool_calls"))
        continue;
      for (const auto& piece : delta["tool_calls"].GetArray()) {
        auto& tool = so_far.calls[piece["index"].GetUint()];
        append(tool.id, piece, "id");
        append(tool.name, piece["function"], "name");
        append(tool.arguments, piece["function"], "arguments");
      }
    }
  }

  static void append(std::string& out, const Value& object, const char* name) {
    if (const auto* x = http::dom::find_string(object, name))
      out += http::dom::text(*x);
  }
};

/// The whole message, read from JSON.
reply read_message(const std::string& json) {
  const auto x = parsed(json);
  reply out;
  client::append(out.content, x, "content");
  client::append(out.refusal, x, "refusal");
  client::append(out.reasoning, x, "reasoning_content");
  if (x.HasMember("tool_calls"))
    for (const auto& piece : x["tool_calls"].GetArray()) {
      auto& tool = out.calls[static_cast<unsigned>(out.calls.size())];
      client::append(tool.id, piece, "id");
      client::append(tool.name, piece["function"], "name");
      client::append(tool.arguments, piece["function"], "arguments");
    }
  return out;
}

std::string in_quotes(const std::string& text) {
  std::string out;
  http::append_json_string(out, text);
  return out;
}

/// Cuts a text at random, but not inside a character: no upstream can do that in JSON.
std::string take_piece(std::string& text, std::mt19937& random) {
  auto n = std::min<std::size_t>(text.size(), random() % 6);
  while (n < text.size() && (text[n] & 0xc0) == 0x80)
    ++n;
  auto out = text.substr(0, n);
  text.erase(0, n);
  return out;
}

/// Deltas of an upstream that streams the message, in random pieces.
std::vector<std::string> random_deltas(reply rest, std::mt19937& random) {
  std::vector<std::string> out;
  std::set<unsigned> begun;
  if (random() % 2)
    out.push_back(R"({"role":"assistant","content":""})");
  while (rest != reply{}) {
    std::string delta;
    const auto add = [&](const char* name, std::string& text) {
      if (const auto piece = take_piece(text, random); !piece.empty() || random() % 4 == 0)
        delta += (delta.empty() ? "\"" : ",\"") + std::string{name} + "\":" + in_quotes(piece);
    };
    add("reasoning_content", rest.reasoning);
    add("content", rest.content);
    add("refusal", rest.refusal);
    if (!rest.calls.empty() && random() % 2) {
      auto i = rest.calls.begin();
      std::advance(i, random() % rest.calls.size());
      auto& [index, tool] = *i;
      delta += (delta.empty() ? "" : ",") + std::string{R"("tool_calls":[{"index":)"}
               + std::to_string(index);
      std::string name;
      if (begun.insert(index).second) {
        delta += R"(,"id":)" + in_quotes(tool.id) + R"(,"type":"function")";
        name = R"("name":)" + in_quotes(tool.name) + ",";
      }
      delta += R"(,"function":{)" + name + R"("arguments":)"
               + in_quotes(take_piece(tool.arguments, random)) + "}}]";
      if (tool.arguments.empty())
        rest.calls.erase(i);
    }
    out.push_back("{" + delta + "}");
  }
  out.emplace_back("{}"); // each choice begins, even one that says nothing
  return out;
}

reply random_message(std::mt19937& random) {
  reply out;
  out.content = random_text(random, 30);
  if (random() % 3 == 0)
    out.reasoning = random_text(random, 20);
  if (random() % 4 == 0)
    out.refusal = random_text(random, 10);
  for (unsigned i = 0, n = static_cast<unsigned>(random() % 3); i < n; ++i)
    out.calls[i] = {"call_" + std::to_string(i), "f" + std::to_string(random() % 3),
                    random_text(random, 20)};
  return out;
}

answer_encoder encoder(bool include_usage) {
  return {"chatcmpl-1", 1'700'000'000, "my \"model\"", include_usage};
}

answer simple_answer() {
  auto decoded = http::decode_answer(R"({"choices":[{"message":{"content":"hi"}}],"x":1})", 5);
  return std::get<answer>(std::move(decoded));
}

choice_delta text_delta(const std::string& text) {
  choice_delta out;
  out.content = text;
  return out;
}

} // namespace

CAF_TEST(a plain answer has what OpenAI requires) {
  auto decoded = http::decode_answer(
      R"({"id":"theirs","model":"theirs","choices":[{"message":{"content":"a \"b\"\n"},"logprobs":{"content":[],"refusal":null}},
        {"message":{"tool_calls":[{"id":"c","function":{"name":"f","arguments":{}}}]},"finish_reason":"eos"}],"service_tier":"flex"})",
      5);
  const auto json = encoder(false).whole(std::get<answer>(decoded));
  check_completion(parsed(json));
  CAF_CHECK_EQUAL(at(json, "choices/0/message/content"), R"("a \"b\"\n")");
  CAF_CHECK_EQUAL(at(json, "choices/0/logprobs"), R"({"content":[],"refusal":null})");
  CAF_CHECK_EQUAL(at(json, "choices/1/message/content"), "null");
  CAF_CHECK_EQUAL(at(json, "service_tier"), R"("flex")");
}

CAF_TEST(the role is in the first chunk of a choice only) {
  auto x = encoder(false);
  std::string out;
  x.delta(out, text_delta("a"));
  x.delta(out, text_delta("b"));
  auto second = text_delta("c");
  second.index = 1;
  x.delta(out, second);
  const auto events = events_of(out);
  CAF_REQUIRE_EQUAL(events.size(), 3u);
  CAF_CHECK_EQUAL(
      at(events[0], "choices"),
      R"([{"index":0,"delta":{"role":"assistant","content":"a","refusal":null},"logprobs":null,"finish_reason":null}])");
  CAF_CHECK_EQUAL(at(events[1], "choices"),
                  R"([{"index":0,"delta":{"content":"b"},"logprobs":null,"finish_reason":null}])");
  CAF_CHECK_EQUAL(at(events[2], "choices/0/delta/role"), R"("assistant")");
}

CAF_TEST(a first delta without text has null content) {
  auto x = encoder(false);
  choice_delta delta;
  delta.members = R"(,"refusal":"no")";
  delta.logprobs = R"({"content":[]})";
  delta.chunk_members = R"(,"system_fingerprint":"fp")";
  std::string out;
  x.delta(out, delta);
  x.delta(out, delta);
  const auto events = events_of(out);
  CAF_CHECK_EQUAL(at(events[0], "choices/0/delta"),
                  R"({"role":"assistant","content":null,"refusal":"no"})");
  CAF_CHECK_EQUAL(at(events[1], "choices/0/delta"), R"({"refusal":"no"})");
  CAF_CHECK_EQUAL(at(events[1], "choices/0/logprobs"), R"({"content":[]})");
  CAF_CHECK_EQUAL(at(events[1], "system_fingerprint"), R"("fp")");
}

CAF_TEST(a stream ends with its finish reasons and usage) {
  for (const bool include_usage : {false, true}) {
    auto x = encoder(include_usage);
    std::string out;
    x.delta(out, text_delta("hi"));
    x.finish(out, simple_answer());
    const auto events = events_of(out);
    CAF_REQUIRE_EQUAL(events.size(), include_usage ? 4u : 3u);
    CAF_CHECK_EQUAL(at(events[1], "choices"),
                    R"([{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}])");
    if (include_usage) {
      CAF_CHECK_EQUAL(at(events[2], "choices"), "[]");
      CAF_CHECK_EQUAL(at(events[2], "usage"), simple_answer().usage.json);
    }
    CAF_CHECK_EQUAL(events.back(), "[DONE]");
    client reader;
    reader.read(out, include_usage);
    CAF_CHECK(reader.done);
  }
}

CAF_TEST(an answer without text has its role in the last chunk) {
  auto x = encoder(false);
  std::string out;
  x.finish(out, simple_answer());
  CAF_CHECK_EQUAL(at(events_of(out).front(), "choices/0/delta"),
                  R"({"role":"assistant","content":"","refusal":null})");
}

CAF_TEST(an error event has the shape of an error) {
  const auto events = events_of(answer_encoder::error_event({error_kind::upstream_cut, "cut\n"}));
  CAF_REQUIRE_EQUAL(events.size(), 1u);
  CAF_CHECK_EQUAL(
      events[0],
      R"({"error":{"message":"cut\n","type":"upstream_error","param":null,"code":"upstream_cut"}})");
}

CAF_TEST(answers have ids of their own) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const auto id = http::make_answer_id();
    CAF_CHECK_EQUAL(id.size(), 41u);
    CAF_CHECK_EQUAL(id.substr(0, 9), "chatcmpl-");
    seen.insert(id);
  }
  CAF_CHECK_EQUAL(seen.size(), 1000u);
}

CAF_TEST(what a client reassembles is what the model said) {
  std::mt19937 random{99};
  for (int round = 0; round < 300; ++round) {
    std::map<unsigned, reply> said;
    std::map<unsigned, std::vector<std::string>> queues; // deltas, the last one first
    for (unsigned i = 0, n = 1 + static_cast<unsigned>(random() % 3); i < n; ++i) {
      said[i] = random_message(random);
      queues[i] = random_deltas(said[i], random);
      std::reverse(queues[i].begin(), queues[i].end());
    }

    http::answer_stream stream{1'000'000, 1, static_cast<std::uint32_t>(said.size())};
    std::vector<choice_delta> deltas;
    while (!queues.empty()) { // choices come interleaved
      auto i = queues.begin();
      std::advance(i, random() % queues.size());
      const auto why = stream.add(R"({"choices":[{"index":)" + std::to_string(i->first)
                                      + R"(,"delta":)" + i->second.back() + "}]}",
                                  deltas);
      CAF_REQUIRE(!why);
      i->second.pop_back();
      if (i->second.empty())
        queues.erase(i);
    }
    CAF_REQUIRE(!stream.add("[DONE]", deltas));
    const auto whole = stream.finish();

    const bool include_usage = random() % 2;
    auto out = encoder(include_usage);
    std::string bytes;
    for (const auto& delta : deltas)
      out.delta(bytes, delta);
    out.finish(bytes, whole);
    client reader;
    reader.read(bytes, include_usage);
    CAF_CHECK(reader.done);

    const auto json = out.whole(whole);
    check_completion(parsed(json));
    CAF_REQUIRE_EQUAL(whole.choices.size(), said.size());
    for (const auto& [index, x] : said) {
      CAF_REQUIRE(reader.messages[index] == x);
      CAF_REQUIRE(read_message(whole.choices[index].message) == x);
      CAF_CHECK(!reader.reasons[index].empty());
    }
    // The history has the first choice, without its reasoning.
    auto first = said[0];
    first.reasoning.clear();
    CAF_REQUIRE(read_message(whole.message->json) == first);
    CAF_CHECK(messages_of("[" + whole.choices[0].message + "]")[0]->id == whole.message->id);
  }
}
