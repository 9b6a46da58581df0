#define CAF_SUITE message_codec
#include "tests/test.hpp"

#include "http/message_editing.hpp"
#include "tests/http/json_tools.hpp"

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

message_ptr one(const std::string& json) {
  return messages_of("[" + json + "]").front();
}

/// The `param` of the refusal of a message, which stands second in its request; "none" without one.
std::string param_of(const std::string& json) {
  const auto decoded = http::decode_chat_request(
      R"({"model":"m","messages":[{"role":"user","content":"x"},)" + json + "]}", {});
  const auto* why = std::get_if<failure>(&decoded);
  if (!why)
    return "none";
  CAF_CHECK(why->kind == error_kind::invalid_request);
  return why->param;
}

const std::string call =
    R"({"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}})";

} // namespace

CAF_TEST(messages of every role are understood) {
  const std::pair<std::string, role> table[] = {
      {R"({"role":"system","content":"x"})", role::system},
      {R"({"role":"developer","content":[{"type":"text","text":"x"}]})", role::developer},
      {R"({"role":"user","content":"","name":"bob"})", role::user},
      {R"({"role":"user","content":[{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"u","detail":"low"}},
       {"type":"input_audio","input_audio":{"data":"d","format":"wav"}},{"type":"file","file":{"file_id":"f"}},{"type":"video_url","video_url":5}]})",
       role::user},
      {R"({"role":"assistant","content":"x","refusal":null,"audio":null,"tool_calls":null})",
       role::assistant},
      {R"({"role":"assistant","content":[{"type":"refusal","refusal":"no"},{"type":"text","text":"x"}]})",
       role::assistant},
      {R"({"role":"assistant","content":null,"tool_calls":[)" + call + "]}", role::assistant},
      {R"({"role":"assistant","tool_calls":[{"id":"c","type":"custom","custom":{"name":"n","input":"i"}}]})",
       role::assistant},
      {R"({"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}})",
       role::assistant},
      {R"({"role":"assistant"})", role::assistant},
      {R"({"role":"tool","tool_call_id":"c1","content":"x"})", role::tool},
      {R"({"role":"tool","tool_call_id":"c1","content":[{"type":"text","text":"x"}]})", role::tool},
      {R"({"role":"function","name":"f","content":null})", role::function},
      {R"({"role":"function","name":"f","content":"x"})", role::function},
  };
  for (const auto& [json, who] : table) {
    CAF_MESSAGE(json);
    const auto x = one(json);
    CAF_CHECK(x->who == who);
    CAF_CHECK_EQUAL(x->json, json);
  }
}

CAF_TEST(wrong messages are refused with their path) {
  const std::pair<const char*, const char*> table[] = {
      {"5", ""},
      {"null", ""},
      {"[]", ""},
      {R"({})", ".role"},
      {R"({"role":null,"content":"x"})", ".role"},
      {R"({"role":"User","content":"x"})", ".role"},
      {R"({"role":["user"],"content":"x"})", ".role"},
      {R"({"role":"user"})", ".content"},
      {R"({"role":"user","content":null})", ".content"},
      {R"({"role":"user","content":5})", ".content"},
      {R"({"role":"user","content":{}})", ".content"},
      {R"({"role":"user","content":[]})", ".content"},
      {R"({"role":"system","content":null})", ".content"},
      {R"({"role":"tool","tool_call_id":"c","content":null})", ".content"},
      {R"({"role":"function","name":"f","content":[{"type":"text","text":"x"}]})", ".content"},
      {R"({"role":"assistant","content":true})", ".content"},
      {R"({"role":"user","content":["x"]})", ".content[0]"},
      {R"({"role":"user","content":[{"type":"text","text":"x"},{}]})", ".content[1].type"},
      {R"({"role":"user","content":[{"type":5}]})", ".content[0].type"},
      {R"({"role":"user","content":[{"type":"text"}]})", ".content[0].text"},
      {R"({"role":"user","content":[{"type":"text","text":null}]})", ".content[0].text"},
      {R"({"role":"assistant","content":[{"type":"refusal"}]})", ".content[0].refusal"},
      {R"({"role":"user","content":[{"type":"image_url","image_url":"u"}]})",
       ".content[0].image_url"},
      {R"({"role":"user","content":[{"type":"image_url","image_url":{}}]})",
       ".content[0].image_url.url"},
      {R"({"role":"user","content":[{"type":"input_audio"}]})", ".content[0].input_audio"},
      {R"({"role":"user","content":[{"type":"file","file":1}]})", ".content[0].file"},
      {R"({"role":"system","content":[{"type":"image_url","image_url":{"url":"u"}}]})",
       ".content[0].type"},
      {R"({"role":"tool","tool_call_id":"c","content":[{"type":"file","file":{}}]})",
       ".content[0].type"},
      {R"({"role":"user","content":"x","name":5})", ".name"},
      {R"({"role":"tool","content":"x"})", ".tool_call_id"},
      {R"({"role":"tool","content":"x","tool_call_id":5})", ".tool_call_id"},
      {R"({"role":"function","content":"x"})", ".name"},
      {R"({"role":"assistant","tool_calls":{}})", ".tool_calls"},
      {R"({"role":"assistant","tool_calls":[5]})", ".tool_calls[0]"},
      {R"({"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":""}}]})",
       ".tool_calls[0].id"},
      {R"({"role":"assistant","tool_calls":[{"id":"c"}]})", ".tool_calls[0].function"},
      {R"({"role":"assistant","tool_calls":[{"id":"c","function":5}]})", ".tool_calls[0].function"},
      {R"({"role":"assistant","tool_calls":[{"id":"c","function":5,"custom":{}}]})",
       ".tool_calls[0].function"},
      {R"({"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f"}}]})",
       ".tool_calls[0].function"},
      {R"({"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":{}}}]})",
       ".tool_calls[0].function"},
  };
  for (const auto& [json, path] : table)
    CAF_CHECK_EQUAL(std::string{json} + ": " + param_of(json),
                    std::string{json} + ": messages[1]" + path);
}

CAF_TEST(equal meaning has an equal digest) {
  const std::vector<std::string> table[] = {
      {R"({"role":"user","content":"ab"})", R"({"content":"ab","role":"user"})",
       R"({ "role" : "user" , "content" : "\u0061b", "name" : null })",
       R"({"role":"user","content":[{"type":"text","text":"ab"}]})",
       R"({"role":"user","content":[{"text":"a","type":"text"},{"type":"text","text":"b"}]})"},
      {R"({"role":"assistant","content":"x"})",
       R"({"role":"assistant","content":"x","refusal":null})",
       R"({"role":"assistant","content":"x","refusal":"","audio":null})",
       R"({"role":"assistant","content":"x","tool_calls":[],"annotations":[],"function_call":null})",
       R"({"role":"assistant","content":"x","reasoning_content":"thoughts are not kept by clients"})"},
      {R"({"role":"assistant","content":null,"tool_calls":[)" + call + "]}",
       R"({"role":"assistant","content":"","tool_calls":[)" + call + "]}",
       R"({"role":"assistant","tool_calls":[{"index":0,"function":{"arguments":"{}","name":"f"},"id":"c1"}]})"},
      {R"({"role":"user","content":[{"type":"image_url","image_url":{"url":"u","detail":"low"}}]})",
       R"({"role":"user","content":[{"image_url":{"detail":"low","url":"u"},"type":"image_url","x":null}]})",
       R"({"role":"user","content":[{"type":"text","text":""},{"type":"image_url","image_url":{"url":"u","detail":"low"}}]})"},
  };
  for (const auto& same : table)
    for (const auto& json : same) {
      CAF_MESSAGE(json);
      CAF_CHECK(one(json)->id == one(same.front())->id);
    }
}

CAF_TEST(different meaning has a different digest) {
  const std::string image = R"({"type":"image_url","image_url":{"url":"u"}})";
  const auto parts = [](const std::string& list) {
    return R"({"role":"user","content":[)" + list + "]}";
  };
  const auto calls = [](const std::string& list) {
    return R"({"role":"assistant","content":null,"tool_calls":[)" + list + "]}";
  };
  const std::string other_call =
      R"({"id":"c2","type":"function","function":{"name":"f","arguments":"{}"}})";
  const std::string table[] = {
      R"({"role":"user","content":"ab"})",
      R"({"role":"user","content":"ba"})",
      R"({"role":"user","content":"ab "})",
      R"({"role":"user","content":""})",
      R"({"role":"user","content":"ab","name":"bob"})",
      R"({"role":"user","content":"ab","name":"eve"})",
      R"({"role":"system","content":"ab"})",
      R"({"role":"developer","content":"ab"})",
      R"({"role":"assistant","content":"ab"})",
      R"({"role":"assistant","content":"ab","refusal":"x"})",
      R"({"role":"assistant","content":"ab","name":"x"})",
      R"({"role":"assistant","content":null,"refusal":"ab"})",
      R"({"role":"assistant","audio":{"id":"ab"}})",
      R"({"role":"tool","tool_call_id":"c1","content":"ab"})",
      R"({"role":"tool","tool_call_id":"c2","content":"ab"})",
      R"({"role":"function","name":"c1","content":"ab"})",
      calls(call),
      calls(other_call),
      calls(call + "," + other_call),
      calls(other_call + "," + call),
      calls(R"({"id":"c1","function":{"name":"f","arguments":"{ }"}})"),
      calls(R"({"id":"c1","function":{"name":"g","arguments":"{}"}})"),
      calls(R"({"id":"c1","type":"custom","custom":{"name":"f","input":"{}"}})"),
      R"({"role":"assistant","function_call":{"name":"f","arguments":"{}"}})",
      parts(image),
      parts(image + "," + image),
      parts(R"({"type":"image_url","image_url":{"url":"v"}})"),
      parts(R"({"type":"image_url","image_url":{"url":"u","detail":"low"}})"),
      parts(R"({"type":"text","text":"ab"},)" + image),
      parts(image + R"(,{"type":"text","text":"ab"})"),
      parts(R"({"type":"text","text":"a"},)" + image + R"(,{"type":"text","text":"b"})"),
      parts(R"({"type":"x","n":1.5})"),
      parts(R"({"type":"x","n":"1.5"})"),
      parts(R"({"type":"x","n":[1.5]})"),
      parts(R"({"type":"x","n":true})"),
  };
  for (const auto& a : table)
    for (const auto& b : table)
      if (&a < &b && one(a)->id == one(b)->id)
        CAF_ERROR(a << " reads like " << b);
  CAF_CHECK(one(table[0])->id == one(table[0])->id);
}

CAF_TEST(a digest is the same in every run) {
  // Stored with the messages: an accidental change would make old threads unknown.
  const auto id = message("user", "hello")->id;
  CAF_CHECK_EQUAL(id.high, 6871635675625909240ull);
  CAF_CHECK_EQUAL(id.low, 3678812334682603500ull);
}

CAF_TEST(calls and answers know each other) {
  const auto asks =
      one(R"({"role":"assistant","tool_calls":[{"id":"c1","function":{"name":"f","arguments":""}},
                           {"id":"c2","custom":{"name":"g","input":""}}]})");
  CAF_CHECK_EQUAL(asks->calls, (std::vector<std::string>{"c1", "c2"}));
  CAF_CHECK(!asks->empty);
  const auto answers = one(R"({"role":"tool","tool_call_id":"c2","content":"x"})");
  CAF_CHECK_EQUAL(answers->answers, "c2");
}

CAF_TEST(an assistant message that says nothing is empty) {
  const std::pair<std::string, bool> table[] = {
      {R"({"role":"assistant"})", true},
      {R"({"role":"assistant","content":"","tool_calls":[],"refusal":null})", true},
      {R"({"role":"assistant","content":null,"reasoning_content":"x"})", true},
      {R"({"role":"assistant","content":" "})", false},
      {R"({"role":"assistant","refusal":"no"})", false},
      {R"({"role":"assistant","audio":{"id":"a"}})", false},
      {R"({"role":"assistant","function_call":{"name":"f","arguments":""}})", false},
      {R"({"role":"assistant","tool_calls":[)" + call + "]}", false},
      {R"({"role":"user","content":""})", false},
  };
  for (const auto& [json, empty] : table)
    CAF_CHECK_EQUAL(json + std::to_string(one(json)->empty), json + std::to_string(empty));
}

CAF_TEST(longer messages are estimated to have more tokens) {
  const auto text = [](std::size_t n) { return message("user", std::string(n, 'x'))->tokens; };
  CAF_CHECK_EQUAL(text(400) - text(0), 100u);
  const auto image =
      one(R"({"role":"user","content":[{"type":"image_url","image_url":{"url":"u"}}]})");
  CAF_CHECK_GREATER(image->tokens, text(400));
  const auto calls = one(R"({"role":"assistant","tool_calls":[)" + call + "]}");
  CAF_CHECK_GREATER(calls->tokens, text(40));
}

CAF_TEST(unanswered calls can be taken out) {
  const std::string second =
      R"({"id":"c2","type":"function","function":{"name":"g","arguments":"{\"a\":1.50}"}})";
  const auto both = one(R"({"role":"assistant","content":"so","x":1,"tool_calls":[)" + call + ","
                        + second + "]}");
  const auto kept = http::with_calls(*both, {"c2", "c9"});
  CAF_REQUIRE(kept);
  CAF_CHECK_EQUAL(kept->json,
                  R"({"role":"assistant","content":"so","x":1,"tool_calls":[)" + second + "]}");
  CAF_CHECK_EQUAL(kept->calls, std::vector<std::string>{"c2"});
  CAF_CHECK(kept->id == one(kept->json)->id);
  CAF_CHECK(kept->id != both->id);
  const auto none = http::with_calls(*both, {});
  CAF_REQUIRE(none);
  CAF_CHECK_EQUAL(none->json, R"({"role":"assistant","content":"so","x":1})");
  CAF_CHECK(none->calls.empty());
}

CAF_TEST(a message that only called tools vanishes with its calls) {
  CAF_CHECK(!http::with_calls(
      *one(R"({"role":"assistant","content":null,"tool_calls":[)" + call + "]}"), {}));
  CAF_CHECK(!http::with_calls(
      *one(R"({"role":"assistant","content":"","tool_calls":[)" + call + "]}"), {"c2"}));
}

CAF_TEST(reasoning stays with an edited message) {
  auto message = *one(R"({"role":"assistant","content":"so","tool_calls":[)" + call + "]}");
  message.reasoning = R"("why")";
  const auto edited = http::with_calls(message, {});
  CAF_REQUIRE(edited);
  CAF_CHECK_EQUAL(edited->reasoning, R"("why")");
}

CAF_TEST(the text of a message is that of all its text parts) {
  const std::pair<std::string, std::string> table[] = {
      {R"({"role":"user","content":"a\n中"})", "a\n中"},
      {R"({"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"u"}},{"type":"text","text":"b"}]})",
       "ab"},
      {R"({"role":"assistant","content":null})", ""},
      {R"({"role":"assistant","content":[{"type":"refusal","refusal":"no"}]})", ""},
  };
  for (const auto& [json, text] : table)
    CAF_CHECK_EQUAL(http::text_of(*one(json)), text);
}
