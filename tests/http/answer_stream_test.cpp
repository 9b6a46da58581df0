#define CAF_SUITE answer_stream
#include "tests/test.hpp"

#include "http/answer_stream.hpp"
#include "http/json.hpp"
#include "tests/http/json_tools.hpp"

using namespace lang_agent;
using namespace lang_agent::test;
using http::answer_stream;

namespace {

struct reader {
  explicit reader(std::uint32_t choices = 1) : stream(10'000, 77, choices) {}

  answer_stream stream;
  std::vector<choice_delta> deltas;

  void add(const std::string& data) {
    if (const auto why = stream.add(data, deltas))
      CAF_FAIL(data << " is refused: " << why->message);
  }

  void delta(const std::string& json, const std::string& choice_members = {}) {
    add(R"({"choices":[{"index":0,"delta":)" + json + choice_members + "}]}");
  }

  answer finish() {
    add("[DONE]");
    return stream.finish();
  }

  /// The message of the first choice.
  std::string message() {
    return finish().choices.at(0).message;
  }
};

/// The message of a stream whose deltas have these tool calls.
std::string calls_of(const std::vector<std::string>& lists) {
  reader x;
  for (const auto& list : lists)
    x.delta(R"({"tool_calls":)" + list + "}");
  return at(x.message(), "tool_calls");
}

std::string call(const std::string& id, const std::string& name, const std::string& arguments) {
  std::string out = R"({"id":")" + id + R"(","type":"function","function":{"name":")" + name
                    + R"(","arguments":)";
  http::append_json_string(out, arguments);
  return out + "}}";
}

} // namespace

CAF_TEST(text is put together) {
  reader x;
  x.delta(R"({"role":"assistant","content":""})");
  x.delta(R"({"content":"he"})", R"(,"finish_reason":null,"logprobs":null)");
  x.delta(R"({"content":"llo \"中\""})");
  x.delta("{}", R"(,"finish_reason":"length")");
  CAF_REQUIRE_EQUAL(x.deltas.size(), 2u); // those that say nothing are not passed on
  CAF_CHECK_EQUAL(x.deltas[0].content, "he");
  CAF_CHECK_EQUAL(x.deltas[1].content, "llo \"中\"");
  CAF_CHECK_EQUAL(x.deltas[1].members, "");
  const auto whole = x.finish();
  CAF_REQUIRE_EQUAL(whole.choices.size(), 1u);
  CAF_CHECK_EQUAL(whole.choices[0].message,
                  R"({"role":"assistant","content":"hello \"中\"","refusal":null})");
  CAF_CHECK_EQUAL(whole.choices[0].finish_reason, "length");
  CAF_CHECK(whole.message->id == messages_of("[" + whole.choices[0].message + "]")[0]->id);
}

CAF_TEST(empty text is not the same as none) {
  reader empty;
  empty.delta(R"({"content":""})");
  CAF_CHECK_EQUAL(at(empty.message(), "content"), R"("")");
  reader none;
  none.delta(R"({"content":null})");
  CAF_CHECK_EQUAL(at(none.message(), "content"), "null");
}

CAF_TEST(content parts are joined to text) {
  reader x;
  x.delta(R"({"content":[{"type":"thinking","x":1},{"type":"text","text":"a"}]})");
  x.delta(R"({"content":"b"})");
  CAF_CHECK_EQUAL(x.deltas[0].content, "a");
  CAF_CHECK_EQUAL(x.message(), R"({"role":"assistant","content":"ab","refusal":null})");
}

CAF_TEST(tool calls come in pieces) {
  CAF_CHECK_EQUAL(
      calls_of(
          {R"([{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}])",
           R"([{"index":0,"function":{"arguments":"{\"x\""}}])",
           R"([{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":"1"}}])",
           R"([{"index":0,"function":{"arguments":":1}"}},{"index":1,"function":{"arguments":"2"}}])"}),
      "[" + call("a", "f", R"({"x":1})") + "," + call("b", "g", "12") + "]");
}

CAF_TEST(tool calls of odd upstreams are understood) {
  struct row {
    const char* what;
    std::vector<std::string> lists;
    std::string expected;
  };
  const row table[] = {
      {"no index, new ids",
       {R"([{"id":"a","function":{"name":"f","arguments":"1"}}])",
        R"([{"id":"b","function":{"name":"g","arguments":"2"}}])"},
       call("a", "f", "1") + "," + call("b", "g", "2")},
      {"no index, one list",
       {R"([{"id":"a","function":{"name":"f","arguments":"1"}},{"id":"b","function":{"name":"g","arguments":"2"}}])"},
       call("a", "f", "1") + "," + call("b", "g", "2")},
      {"no index, pieces without id",
       {R"([{"id":"a","function":{"name":"f","arguments":"1"}}])",
        R"([{"function":{"arguments":"2"}}])"},
       call("a", "f", "12")},
      {"no index, pieces with an empty id",
       {R"([{"id":"a","function":{"name":"f","arguments":"1"}}])",
        R"([{"id":"","function":{"arguments":"2"}}])"},
       call("a", "f", "12")},
      {"the id again and again",
       {R"([{"id":"a","function":{"name":"f","arguments":"1"}}])",
        R"([{"id":"a","function":{"arguments":"2"}}])"},
       call("a", "f", "12")},
      {"the id comes late",
       {R"([{"index":0,"id":"","function":{"name":"f"}}])",
        R"([{"index":0,"id":"a","function":{"arguments":"2"}}])"},
       call("a", "f", "2")},
      {"indexes out of order and with gaps",
       {R"([{"index":7,"id":"b","function":{"name":"g","arguments":""}}])",
        R"([{"index":2,"id":"a","function":{"name":"f","arguments":""}}])"},
       call("a", "f", "") + "," + call("b", "g", "")},
      {"arguments as object",
       {R"([{"index":0,"id":"a","function":{"name":"f","arguments":{"x":[1.5,"é"]}}}])"},
       call("a", "f", R"({"x":[1.5,"é"]})")},
      {"a name in pieces",
       {R"([{"index":0,"id":"a","function":{"name":"get_"}}])",
        R"([{"index":0,"function":{"name":"it","arguments":"{}"}}])"},
       call("a", "get_it", "{}")},
      {"what is no call",
       {R"([null,5,"x",{"index":0,"id":"a","function":{"name":"f","arguments":""}}])", "[]", "5",
        R"("x")", "{}"},
       call("a", "f", "")},
      {"custom tools",
       {R"([{"index":0,"id":"a","type":"custom","custom":{"name":"c","input":"1"}}])",
        R"([{"index":0,"custom":{"input":"2"}}])"},
       R"({"id":"a","type":"custom","custom":{"name":"c","input":"12"}})"},
  };
  for (const auto& x : table) {
    CAF_MESSAGE(x.what);
    CAF_CHECK_EQUAL(calls_of(x.lists), "[" + x.expected + "]");
  }
}

CAF_TEST(clients see tool calls with index and with text arguments) {
  reader x;
  x.delta(R"({"tool_calls":[{"id":"a","function":{"name":"f","arguments":{"x":1}}}]})");
  x.delta(R"({"tool_calls":[{"id":"a","type":null,"function":{"name":"","arguments":"2"}}]})");
  CAF_REQUIRE_EQUAL(x.deltas.size(), 2u);
  CAF_CHECK_EQUAL(
      x.deltas[0].members,
      R"(,"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}}])");
  // SDKs append what is given twice: an id that comes again would become "aa".
  CAF_CHECK_EQUAL(x.deltas[1].members,
                  R"(,"tool_calls":[{"index":0,"function":{"arguments":"2"}}])");
}

CAF_TEST(a deprecated function call is put together) {
  reader x;
  x.delta(R"({"function_call":{"name":"f","arguments":"{"}})");
  x.delta(R"({"function_call":{"arguments":"}"}})");
  CAF_CHECK_EQUAL(x.deltas.size(), 2u);
  CAF_CHECK_EQUAL(x.message(), R"({"role":"assistant","content":null,"refusal":null,)"
                               R"("function_call":{"name":"f","arguments":"{}"}})");
}

CAF_TEST(refusals and reasoning are texts of their own) {
  reader x;
  x.delta(R"({"reasoning_content":"be","refusal":"n"})");
  x.delta(R"({"reasoning_content":"cause","refusal":"o","content":null})");
  CAF_REQUIRE_EQUAL(x.deltas.size(), 2u);
  CAF_CHECK_EQUAL(x.deltas[1].members, R"(,"reasoning_content":"cause","refusal":"o")");
  const auto whole = x.finish();
  CAF_CHECK_EQUAL(
      whole.choices[0].message,
      R"({"role":"assistant","content":null,"refusal":"no","reasoning_content":"because"})");
  CAF_CHECK_EQUAL(whole.message->reasoning, R"("because")");
  CAF_CHECK_EQUAL(whole.message->json, R"({"role":"assistant","content":null,"refusal":"no"})");
}

CAF_TEST(several choices are kept apart) {
  reader x{2};
  x.add(R"({"choices":[{"index":1,"delta":{"content":"b"}}]})");
  x.add(
      R"({"choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"B"},"finish_reason":"stop"}]})");
  x.add(R"({"choices":[{"index":0,"delta":{},"finish_reason":"length"}]})");
  CAF_CHECK(x.stream.complete());
  CAF_REQUIRE_EQUAL(x.deltas.size(), 3u);
  CAF_CHECK_EQUAL(x.deltas[0].index, 1u);
  const auto whole = x.finish();
  CAF_REQUIRE_EQUAL(whole.choices.size(), 2u);
  CAF_CHECK_EQUAL(at(whole.choices[0].message, "content"), R"("a")");
  CAF_CHECK_EQUAL(whole.choices[0].finish_reason, "length");
  CAF_CHECK_EQUAL(whole.choices[1].index, 1u);
  CAF_CHECK_EQUAL(at(whole.choices[1].message, "content"), R"("bB")");
  CAF_CHECK_EQUAL(at(whole.message->json, "content"), R"("a")");
}

CAF_TEST(a stream is complete only with all choices that were asked for) {
  reader x{2};
  x.add(R"({"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]})");
  CAF_CHECK(!x.stream.complete());
  x.add(R"({"choices":[{"index":1,"delta":{"content":"b"},"finish_reason":"stop"}]})");
  CAF_CHECK(x.stream.complete());
}

CAF_TEST(a choice that was not asked for is no answer) {
  reader x{2};
  const auto why = x.stream.add(R"({"choices":[{"index":2,"delta":{"content":"a"}}]})", x.deltas);
  CAF_REQUIRE(why);
  CAF_CHECK(why->kind == error_kind::upstream_error);
}

CAF_TEST(more tool calls than anybody needs are no answer) {
  answer_stream stream{10'000'000, 0};
  std::vector<choice_delta> deltas;
  std::optional<failure> why;
  for (int i = 0; i < 2000 && !why; ++i)
    why =
        stream.add(R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":)" + std::to_string(i)
                       + R"(,"id":"c","function":{"name":"f","arguments":""}}]}}]})",
                   deltas);
  CAF_CHECK(why);
}

CAF_TEST(members of a tool call that only its upstream knows are kept) {
  reader x;
  x.delta(R"({"tool_calls":[{"index":0,"id":"c","type":"function","extra_content":{"s":"1"},)"
          R"("function":{"name":"f","arguments":"{}"}}]})");
  CAF_CHECK(x.message().find(R"("extra_content":{"s":"1"})") != std::string::npos);
}

CAF_TEST(logprobs and members beside choices pass on) {
  reader x;
  x.add(
      R"({"id":"i","object":"o","created":1,"model":"m","system_fingerprint":"fp","x":1.50,"usage":null,
            "choices":[{"delta":{"content":"a"},"logprobs":{"content":[]}}]})");
  CAF_REQUIRE_EQUAL(x.deltas.size(), 1u);
  CAF_CHECK_EQUAL(x.deltas[0].logprobs, R"({"content":[]})");
  CAF_CHECK_EQUAL(x.deltas[0].chunk_members, R"(,"system_fingerprint":"fp","x":1.50)");
  CAF_CHECK_EQUAL(x.finish().members, R"(,"system_fingerprint":"fp","x":1.50)");
}

CAF_TEST(the whole answer has the logprobs of all its deltas) {
  reader x{2};
  const auto logprobs = [](const std::string& content, const std::string& refusal) {
    return R"(,"logprobs":{"content":)" + content + R"(,"refusal":)" + refusal + "}";
  };
  x.delta(R"({"role":"assistant"})", R"(,"logprobs":null)");
  x.delta(R"({"content":"a"})", logprobs(R"([{"token":"a","logprob":-0.5}])", "null"));
  x.delta(R"({"content":"bc"})", logprobs(R"([{"token":"b"},{"token":"c"}])", "null"));
  x.delta(R"({"refusal":"no"})", logprobs("[]", R"([{"token":"no"}])"));
  x.delta("{}", R"(,"finish_reason":"stop")");
  x.add(R"({"choices":[{"index":1,"delta":{"content":"z"},"finish_reason":"stop"}]})");
  const auto whole = x.finish();
  CAF_REQUIRE_EQUAL(whole.choices.size(), 2u);
  CAF_CHECK_EQUAL(whole.choices[0].logprobs,
                  R"({"content":[{"token":"a","logprob":-0.5},{"token":"b"},{"token":"c"}],)"
                  R"("refusal":[{"token":"no"}]})");
  CAF_CHECK_EQUAL(whole.choices[1].logprobs, "");
}

CAF_TEST(logprobs without a token or of an odd shape are none) {
  for (const auto* odd : {"null", "5", "[]", "{}", R"({"content":null,"refusal":null})",
                          R"({"content":[]})", R"({"content":"x","refusal":5})"}) {
    reader x;
    x.delta(R"({"content":"a"})", std::string{R"(,"logprobs":)"} + odd);
    const auto whole = x.finish();
    CAF_CHECK_EQUAL(whole.choices.at(0).logprobs, "");
  }
}

CAF_TEST(the last usage counts) {
  reader x;
  x.add(
      R"({"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}})");
  x.add(
      R"({"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":9,"total_tokens":10,"x":{}}})");
  const auto usage = x.finish().usage;
  CAF_CHECK(!usage.estimated);
  CAF_CHECK_EQUAL(usage.completion, 9u);
  CAF_CHECK_EQUAL(usage.json,
                  R"({"prompt_tokens":1,"completion_tokens":9,"total_tokens":10,"x":{}})");
}

CAF_TEST(missing usage is estimated) {
  reader x;
  x.delta(R"({"content":"a"})");
  const auto usage = x.finish().usage;
  CAF_CHECK(usage.estimated);
  CAF_CHECK_EQUAL(at(usage.json, "prompt_tokens"), "77");
}

CAF_TEST(a stream is complete after its end or all its finish reasons) {
  struct row {
    std::vector<std::string> events;
    bool complete;
    const char* reason; ///< if complete
    std::uint32_t choices = 1;
  };
  const std::string text = R"({"choices":[{"index":0,"delta":{"content":"x"}}]})";
  const std::string calls =
      R"({"choices":[{"delta":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":""}}]}}]})";
  const std::string stop = R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})";
  const std::string second =
      R"({"choices":[{"index":1,"delta":{"content":"y"},"finish_reason":""}]})";
  const row table[] = {
      {{}, false, ""},
      {{"[DONE]"}, false, ""},
      {{R"({"choices":[]})", "[DONE]"}, false, ""},
      {{text}, false, ""},
      {{text, "[DONE]"}, true, "stop"},
      {{text, "[DONE] "}, true, "stop"},
      {{calls, "[DONE]"}, true, "tool_calls"},
      {{text, stop}, true, "stop"},
      {{text, second, stop}, false, "", 2},
      {{text, second, stop, "[DONE]"}, true, "stop", 2},
  };
  for (const auto& x : table) {
    reader in{x.choices};
    for (const auto& event : x.events)
      in.add(event);
    CAF_CHECK_EQUAL(in.stream.complete(), x.complete);
    if (x.complete)
      CAF_CHECK_EQUAL(std::string{in.stream.finish().choices.at(0).finish_reason}, x.reason);
  }
}

CAF_TEST(events that make no sense end the stream) {
  for (const std::string data :
       {"x", "", "[]", "null", "{", R"({"choices":[5]})", R"({"choices":[null]})",
        "{\"choices\":[{\"delta\":{\"content\":\"\xff\"}}]}"}) {
    reader x;
    const auto why = x.stream.add(data, x.deltas);
    CAF_MESSAGE(data);
    CAF_CHECK(why && why->kind == error_kind::upstream_error);
  }
}

CAF_TEST(events that say nothing are survived) {
  reader x;
  for (const auto* data :
       {"{}", R"({"choices":null})", R"({"choices":{}})", R"({"choices":[{}]})",
        R"({"choices":[{"delta":null}]})", R"({"choices":[{"delta":[],"index":-1}]})"})
    x.add(data);
  CAF_CHECK(x.deltas.empty());
}

CAF_TEST(what only opens a stream is no delta) {
  reader x;
  for (const auto* delta :
       {R"({"role":"assistant","content":""})", R"({"role":"assistant","content":null})",
        R"({"role":"assistant","content":"","refusal":null,"tool_calls":null})",
        R"({"role":"assistant","content":[],"tool_calls":[]})",
        R"({"content":"","reasoning_content":""})", R"({"role":"assistant","reasoning":null})",
        R"({"annotations":[],"audio":{}})", "{}"})
    x.delta(delta, R"(,"finish_reason":null,"logprobs":null)");
  x.add(R"({"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":0}})");
  CAF_CHECK(x.deltas.empty());
  x.delta(R"({"content":" "})");
  CAF_CHECK_EQUAL(x.deltas.size(), 1u);
}

CAF_TEST(reasoning and arguments of tools are deltas) {
  reader x;
  x.delta(R"({"reasoning_content":"hm"})");
  x.delta(R"({"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":""}}]})");
  x.delta(R"({"tool_calls":[{"index":0,"function":{"arguments":"{"}}]})");
  CAF_CHECK_EQUAL(x.deltas.size(), 3u);
}

CAF_TEST(an error event is the failure of the upstream) {
  reader x;
  const auto why = x.stream.add(R"({"error":{"message":"out of tea"}})", x.deltas);
  CAF_REQUIRE(why);
  CAF_CHECK(why->kind == error_kind::upstream_error);
  CAF_CHECK(why->message.find("out of tea") != std::string::npos);
}

CAF_TEST(an error event may say that the prompt is too long) {
  reader x;
  const auto why =
      x.stream.add(R"({"error":{"message":"m","code":"context_length_exceeded"}})", x.deltas);
  CAF_CHECK(why && why->kind == error_kind::context_too_long);
}

CAF_TEST(an answer has a largest size) {
  const std::string event = R"({"choices":[{"delta":{"content":"0123456789"}}]})";
  std::vector<choice_delta> deltas;
  answer_stream x{event.size() * 3, 0};
  for (int i = 0; i < 3; ++i)
    CAF_CHECK(!x.add(event, deltas));
  const auto why = x.add(event, deltas);
  CAF_CHECK(why && why->kind == error_kind::upstream_answer_too_long);
  CAF_CHECK_EQUAL(deltas.size(), 3u);
}

CAF_TEST(a whole answer can stand for a stream) {
  const std::string body = R"({"choices":[
    {"index":1,"message":{"role":"assistant","content":"b","refusal":null},"finish_reason":"length"},
    {"index":0,"message":{"content":"a","reasoning_content":"r","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},
     "finish_reason":"tool_calls","logprobs":{"content":[]}}],"x":1})";
  reader x;
  CAF_REQUIRE(!x.stream.add_whole(body, x.deltas));
  CAF_CHECK(x.stream.complete());
  CAF_REQUIRE_EQUAL(x.deltas.size(), 2u);
  CAF_CHECK_EQUAL(x.deltas[0].content, "a");
  CAF_CHECK_EQUAL(x.deltas[0].logprobs, R"({"content":[]})");
  const auto whole = x.stream.finish();
  CAF_CHECK_EQUAL(
      whole.choices[0].message,
      R"({"role":"assistant","content":"a","refusal":null,"reasoning_content":"r","tool_calls":[)"
          + call("c", "f", "{}") + "]}");
  CAF_CHECK_EQUAL(whole.choices[0].finish_reason, "tool_calls");
  CAF_CHECK_EQUAL(whole.choices[1].finish_reason, "length");
  CAF_CHECK(whole.usage.estimated);
  CAF_CHECK_EQUAL(whole.members, R"(,"x":1)");
  reader broken;
  CAF_CHECK(broken.stream.add_whole("<html>", broken.deltas).has_value());
}
