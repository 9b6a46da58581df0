#define CAF_SUITE request_codec
#include "tests/test.hpp"

#include "http/json.hpp"
#include "http/upstream_codec.hpp"
#include "tests/http/json_tools.hpp"

using namespace lang_agent;
using namespace lang_agent::test;
using http::chat_request;
using http::decode_options;

namespace {

/// A valid body with further members.
std::string with(const std::string& members) {
  return R"({"model":"m","messages":[{"role":"user","content":"hi"}])"
         + (members.empty() ? "" : "," + members) + "}";
}

chat_request accepted(const std::string& body, const decode_options& options = {}) {
  auto out = http::decode_chat_request(body, options);
  if (const auto* why = std::get_if<failure>(&out))
    CAF_FAIL(body << " is refused: " << why->message);
  return std::get<chat_request>(std::move(out));
}

/// The failure of a body; one that no check expects when there is none.
failure refused(const std::string& body, const decode_options& options = {}) {
  auto out = http::decode_chat_request(body, options);
  if (auto* why = std::get_if<failure>(&out))
    return std::move(*why);
  return {error_kind::internal, "accepted", "accepted"};
}

void check_refused(const std::string& body, error_kind kind, const std::string& param,
                   const decode_options& options = {}) {
  CAF_MESSAGE(body.substr(0, 200));
  const auto why = refused(body, options);
  CAF_CHECK(why.kind == kind);
  CAF_CHECK_EQUAL(why.http_status(), 400);
  CAF_CHECK_EQUAL(why.param, param);
}

const std::string defaults = R"(,"temperature":0.7,"max_tokens":500)";

} // namespace

CAF_TEST(a minimal request gets our defaults) {
  const auto x = accepted(with(""));
  CAF_CHECK_EQUAL(x.thread, "3");
  CAF_CHECK_EQUAL(x.parameters.model, "m");
  CAF_CHECK_EQUAL(x.parameters.forwarded, defaults);
  CAF_CHECK_EQUAL(x.parameters.max_tokens.value_or(0), 500);
  CAF_CHECK_EQUAL(x.parameters.choices, 1u);
  CAF_CHECK(!x.parameters.stream);
  CAF_CHECK(!x.parameters.include_usage);
  CAF_CHECK_EQUAL(texts_of(x.messages), R"({"role":"user","content":"hi"})");
  CAF_CHECK(x.instructions.empty());
}

CAF_TEST(defaults never replace what the client said) {
  struct row {
    const char* members;
    const char* forwarded;
    std::int64_t max_tokens;
  };
  const row table[] = {
      {R"("temperature":1)", R"(,"temperature":1,"max_tokens":500)", 500},
      {R"("max_tokens":7)", R"(,"max_tokens":7,"temperature":0.7)", 7},
      {R"("max_completion_tokens":8)", R"(,"max_completion_tokens":8,"temperature":0.7)", 8},
      {R"("temperature":null,"max_tokens":null,"max_completion_tokens":null,"n":null)",
       R"(,"temperature":0.7,"max_tokens":500)", 500},
      {R"("max_tokens":null,"max_completion_tokens":9)",
       R"(,"max_completion_tokens":9,"temperature":0.7)", 9},
  };
  for (const auto& x : table) {
    const auto parameters = accepted(with(x.members)).parameters;
    CAF_CHECK_EQUAL(parameters.forwarded, x.forwarded);
    CAF_CHECK_EQUAL(parameters.max_tokens.value_or(0), x.max_tokens);
  }
}

CAF_TEST(defaults can be turned off) {
  decode_options none;
  none.temperature.reset();
  none.max_tokens.reset();
  none.default_thread.clear();
  const auto x = accepted(with(""), none);
  CAF_CHECK_EQUAL(x.parameters.forwarded, "");
  CAF_CHECK(!x.parameters.max_tokens);
  CAF_CHECK_EQUAL(x.thread, "");
}

CAF_TEST(a thread id is a whole number of 64 bits or a name) {
  const std::string longest(128, 'x');
  std::string chinese; // 128 characters, 384 bytes
  for (int i = 0; i < 128; ++i)
    chinese += "中";
  const std::pair<std::string, std::string> table[] = {
      {"42", "42"},
      {R"("42")", "42"},
      {"0", "0"},
      {"-0", "0"},
      {"-7", "-7"},
      {"9223372036854775807", "9223372036854775807"},
      {"-9223372036854775808", "-9223372036854775808"},
      {"null", "3"},
      {R"("none")", "none"},
      {R"("a b/ü")", "a b/ü"},
      {R"("\u0061")", "a"},
      {"\"" + longest + "\"", longest},
      {"\"" + chinese + "\"", chinese},
  };
  for (const auto& [json, thread] : table) {
    const auto x = accepted(with(R"("thread_id":)" + json));
    CAF_CHECK_EQUAL(x.thread, thread);
    CAF_CHECK_EQUAL(x.parameters.forwarded, defaults);
  }
}

CAF_TEST(anything else is no thread id) {
  const std::string table[] = {"1.5",
                               "1.0",
                               "1e3",
                               "9223372036854775808",
                               "-9223372036854775809",
                               "1e300",
                               "true",
                               "false",
                               "[]",
                               "[1]",
                               "{}",
                               R"("")",
                               "\"" + std::string(129, 'x') + "\"",
                               R"("a\u0000b")",
                               R"("\n")",
                               R"("\u007f")",
                               R"("\u0085")",
                               "\"\xc2\x9f\""};
  for (const auto& json : table)
    check_refused(with(R"("thread_id":)" + json), error_kind::invalid_request, "thread_id");
}

CAF_TEST(fields that are not ours travel byte for byte) {
  const std::string table[] = {
      R"("x":1.50)",
      R"("x":123456789012345678901234567890)",
      R"("x":-0.0)",
      R"("x":1E+2)",
      "\"x\":{ \"a\" :\t[ 1 ,\n2 ] , \"b\":\"\\u0041\\/\" }",
      R"("x":"中\ud83d\ude00")",
      R"("x":null)",
      R"("x":[],"y":{},"x":true)",
      R"("stop":["\u0041"],"seed":-5,"top_p":0.10)",
      R"("metadata":{"k": "v"})",
  };
  for (const auto& members : table)
    CAF_CHECK_EQUAL(accepted(with(members)).parameters.forwarded, "," + members + defaults);
}

CAF_TEST(our own fields are never forwarded) {
  const auto x = accepted(
      R"({ "thread\u005fid" : 5 , "stream" : true, "user":"u" , "model":"m" , "messages" : [ {"role":"user","content":"a"} , {"content" : "b","role":"system"} ] ,
        "stream_options":{"include_usage":true, "include_obfuscation":false, "x":[1 ,2]} })");
  CAF_CHECK_EQUAL(x.parameters.forwarded, R"(,"user":"u")" + defaults);
  CAF_CHECK_EQUAL(x.thread, "5");
  CAF_CHECK(x.parameters.stream);
  CAF_CHECK(x.parameters.include_usage);
  CAF_CHECK_EQUAL(x.parameters.stream_options, R"(,"include_obfuscation":false,"x":[1,2])");
  CAF_CHECK_EQUAL(texts_of(x.messages), R"({"role":"user","content":"a"})");
  CAF_CHECK_EQUAL(texts_of(x.instructions), R"({"content" : "b","role":"system"})");
}

CAF_TEST(messages travel as the client wrote them) {
  const std::string first =
      "{ \"role\" : \"user\",\n \"content\":\"\\u4e2d 1.50\", \"x\":[{}, 1.50] }";
  const std::string second = R"({"role":"assistant","content":null,"tool_calls":[]})";
  const auto x = accepted(R"({"model":"m","messages":[ )" + first + " ,\t" + second + " ]}");
  CAF_CHECK_EQUAL(texts_of(x.messages), first + " " + second);
}

CAF_TEST(choices are counted) {
  CAF_CHECK_EQUAL(accepted(with(R"("n":3)")).parameters.choices, 3u);
}

CAF_TEST(a body must be one object of valid JSON) {
  const std::string valid = with("");
  const std::string table[] = {
      "",
      " ",
      "null",
      "[]",
      "\"text\"",
      "1",
      "{",
      valid + "x",
      valid + valid,
      valid.substr(0, valid.size() - 1),
      with(R"("x":)"),
      with(R"("x":1,)"),
      with(R"('x':1)"),
      with(R"("x":NaN)"),
      with(R"("x":01)"),
      with(R"("x":1e999)"),
      with("\"x\":\"a\nb\""),
      with(R"("x":1 // why)"),
      with(std::string{"\"x\":\"a\0b\"", 9}),
      valid + std::string(1, '\0'),
      with("\"x\":\"\xff\""),
      with("\"x\":\"\xc0\xaf\""),
      with("\"x\":\"\xed\xa0\x80\""),
      with("\"x\":\"\xe4\xb8\""),
      with(R"("x":"\ud800")"),
      with(R"("x":"\udc00")"),
      with(R"("x":"\ud800\u0041")"),
      with(R"("x":"\u12g4")"),
      with(R"("thread_id":"\udc00")"),
      "\xef\xbb\xbf" + valid,
  };
  for (const auto& body : table)
    check_refused(body, error_kind::invalid_json, "");
}

CAF_TEST(nesting has a limit) {
  const auto nested = [](std::size_t levels) { // the body itself is the first level
    return with(R"("x":)" + std::string(levels - 1, '[') + std::string(levels - 1, ']'));
  };
  decode_options options;
  options.max_depth = 8;
  accepted(nested(8), options);
  check_refused(nested(9), error_kind::invalid_json, "", options);
  check_refused(nested(1'000'000), error_kind::invalid_json, "", options);
  check_refused(std::string(1'000'000, '['), error_kind::invalid_json, "");
}

CAF_TEST(the number of messages has a limit) {
  decode_options options;
  options.max_messages = 2;
  const std::string message = R"({"role":"user","content":"x"})";
  accepted(R"({"model":"m","messages":[)" + message + "," + message + "]}", options);
  check_refused(R"({"model":"m","messages":[)" + message + "," + message + "," + message + "]}",
                error_kind::invalid_request, "messages", options);
}

CAF_TEST(model and messages are required) {
  const std::pair<const char*, const char*> table[] = {
      {R"({})", "messages"},
      {R"({"model":"m"})", "messages"},
      {R"({"model":"m","messages":null})", "messages"},
      {R"({"model":"m","messages":[]})", "messages"},
      {R"({"model":"m","messages":{}})", "messages"},
      {R"({"messages":[{"role":"user","content":"x"}]})", "model"},
      {R"({"model":null,"messages":[{"role":"user","content":"x"}]})", "model"},
      {R"({"model":"","messages":[{"role":"user","content":"x"}]})", "model"},
      {R"({"model":5,"messages":[{"role":"user","content":"x"}]})", "model"},
  };
  for (const auto& [body, param] : table)
    check_refused(body, error_kind::invalid_request, param);
}

CAF_TEST(our own fields may be given once only) {
  // Two readers of such a body could understand two different requests.
  for (const std::string member :
       {R"("model":"m")", R"("messages":[{"role":"user","content":"x"}])"}) {
    const auto name = member.substr(1, member.find('"', 1) - 1);
    check_refused(with(member), error_kind::invalid_request, name);
  }
  for (const std::string member :
       {R"("thread_id":1)", R"("stream":true)", R"("stream_options":{})", R"("temperature":1)",
        R"("max_tokens":1)", R"("max_completion_tokens":1)"}) {
    const auto name = member.substr(1, member.find('"', 1) - 1);
    accepted(with(member));
    check_refused(with(member + "," + member), error_kind::invalid_request, name);
    check_refused(with(member + ",\"" + name + "\":null"), error_kind::invalid_request, name);
  }
}

CAF_TEST(no mutation of a body does harm) {
  const std::string valid =
      R"({"model":"gpt","thread_id":-42,"n":2,"seed":7,"stop":["a","b"],"metadata":{"k":"v"},
"stream":true,"stream_options":{"include_usage":true,"x":1},"logit_bias":{"5":-1.5},"x":[{"y":1e5}],
"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{}}},
"tools":[{"type":"function","function":{"name":"f"}},{"type":"custom","custom":{"name":"c"}}],
"messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"é\n"},
{"type":"image_url","image_url":{"url":"u"}}]},{"role":"assistant","content":null,"tool_calls":
[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},
{"role":"tool","tool_call_id":"1","content":"\ud83d\ude00"}]})";
  static constexpr std::string_view bytes = "\"{}[],:\\0123456789-.eEtrufalsn \xff\xc3\x80";
  std::mt19937 random{2024};
  std::size_t decoded = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string body = valid;
    for (auto n = 1 + random() % 3; n > 0; --n) {
      const auto where = random() % body.size();
      const auto byte = random() % 8 ? bytes[random() % bytes.size()] : static_cast<char>(random());
      switch (random() % 4) {
      case 0:
        body[where] = byte;
        break;
      case 1:
        body.erase(where, 1 + random() % 4);
        break;
      case 2:
        body.insert(where, 1, byte);
        break;
      default:
        body[where] = static_cast<char>(body[where] ^ (1 << random() % 8));
      }
    }
    const auto result = http::decode_chat_request(body, {});
    if (const auto* why = std::get_if<failure>(&result)) {
      const bool about_the_body =
          why->kind == error_kind::invalid_json || why->kind == error_kind::invalid_request;
      if (!about_the_body || why->http_status() != 400 || why->message.empty())
        CAF_FAIL("round " << round << ": " << body);
      parsed(http::encode_error(*why));
      continue;
    }
    ++decoded;
    const auto& x = std::get<chat_request>(result);
    if (x.thread.empty() || x.parameters.model.empty()
        || x.messages.size() + x.instructions.size() == 0)
      CAF_FAIL("round " << round << ": " << body);
    parsed(http::encode_upstream_request(x.parameters, x.messages, "", false));
  }
  CAF_CHECK_GREATER(decoded, 1000u); // else the mutations say nothing of accepted bodies
}
