#define CAF_SUITE upstream_codec
#include "tests/test.hpp"

#include "http/upstream_codec.hpp"
#include "tests/http/json_tools.hpp"

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

constexpr std::uint64_t prompt_estimate = 77;

answer decoded(const std::string& body) {
  auto out = http::decode_answer(body, prompt_estimate);
  if (const auto* why = std::get_if<failure>(&out))
    CAF_FAIL(body << " is refused: " << why->message);
  return std::get<answer>(std::move(out));
}

failure refused(const std::string& body) {
  auto out = http::decode_answer(body, prompt_estimate);
  if (auto* why = std::get_if<failure>(&out))
    return std::move(*why);
  return {error_kind::internal, "accepted"};
}

/// An answer with one choice.
std::string choice(const std::string& message,
                   const std::string& members = R"("finish_reason":"stop")") {
  return R"({"choices":[{"index":0,"message":)" + message + "," + members + "}]}";
}

std::string usage(const std::string& json) {
  return R"({"choices":[{"message":{"content":"x"}}],"usage":)" + json + "}";
}

} // namespace

CAF_TEST(a request is its parts in order) {
  chat_parameters parameters;
  parameters.model = "a \"b\"";
  parameters.forwarded = R"(,"x":1.50,"y":[ 1 ])";
  parameters.stream_options = R"(,"z":1)"; // of no use without a stream
  const auto prompt =
      messages_of(R"([{"role":"user","content":"1"},{ "content":"\u0032","role":"user"}])");
  CAF_CHECK_EQUAL(http::encode_upstream_request(parameters, prompt, "", false),
                  R"({"model":"a \"b\"","messages":[{"role":"user","content":"1"},)"
                  R"({ "content":"\u0032","role":"user"}],"x":1.50,"y":[ 1 ]})");
}

CAF_TEST(a stream always asks for usage) {
  chat_parameters parameters;
  parameters.model = "m";
  parameters.stream = true;
  parameters.stream_options = R"(,"include_obfuscation":false)";
  const auto body = http::encode_upstream_request(parameters, {message("user", "x")}, "", false);
  CAF_CHECK_EQUAL(at(body, "stream"), "true");
  CAF_CHECK_EQUAL(at(body, "stream_options"),
                  R"({"include_usage":true,"include_obfuscation":false})");
}

CAF_TEST(a stream that must not ask for usage sends only the other options of its client) {
  chat_parameters parameters;
  parameters.model = "m";
  parameters.stream = true;
  parameters.ask_usage = false;
  const auto options = [&](const char* more) {
    parameters.stream_options = more;
    return at(http::encode_upstream_request(parameters, {}, "", false), "stream_options");
  };
  CAF_CHECK_EQUAL(options(""), "absent");
  CAF_CHECK_EQUAL(options(R"(,"x":1,"y":2)"), R"({"x":1,"y":2})");
}

CAF_TEST(the model of the config wins) {
  chat_parameters parameters;
  parameters.model = "theirs";
  const auto model = [&](const char* ours) {
    return at(http::encode_upstream_request(parameters, {}, ours, false), "model");
  };
  CAF_CHECK_EQUAL(model("ou\"rs"), R"("ou\"rs")");
  CAF_CHECK_EQUAL(model(""), R"("theirs")");
}

CAF_TEST(reasoning goes back only on demand) {
  const auto body = decoded(choice(R"({"content":"x","reasoning_content":"w\"hy"})"));
  const message_list prompt{message("user", "q"), body.message};
  CAF_CHECK_EQUAL(at(http::encode_upstream_request({}, prompt, "m", false), "messages/1"),
                  R"({"role":"assistant","content":"x"})");
  CAF_CHECK_EQUAL(at(http::encode_upstream_request({}, prompt, "m", true), "messages"),
                  R"([{"role":"user","content":"q"},)"
                  R"({"role":"assistant","content":"x","reasoning_content":"w\"hy"}])");
}

CAF_TEST(a whole answer is decoded) {
  const auto x =
      decoded(R"({"id":"i","object":"chat.completion","created":1,"model":"up","choices":[
    {"index":0,"message":{"role":"assistant","content":"hi","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"length"}],
    "usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":1}},
    "service_tier":"default","system_fingerprint":"fp","citations":[ 1 ]})");
  CAF_REQUIRE_EQUAL(x.choices.size(), 1u);
  CAF_CHECK_EQUAL(x.choices[0].message,
                  R"({"role":"assistant","content":"hi","refusal":null,"annotations":[]})");
  CAF_CHECK_EQUAL(x.choices[0].finish_reason, "length");
  CAF_CHECK_EQUAL(x.choices[0].logprobs, "");
  CAF_CHECK_EQUAL(x.members,
                  R"(,"service_tier":"default","system_fingerprint":"fp","citations":[ 1 ])");
  CAF_CHECK_EQUAL(x.usage.prompt, 3u);
  CAF_CHECK_EQUAL(x.usage.completion, 4u);
  CAF_CHECK(!x.usage.estimated);
  CAF_CHECK_EQUAL(x.usage.json, R"({"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,)"
                                R"("prompt_tokens_details":{"cached_tokens":1}})");
  CAF_CHECK_EQUAL(x.message->json, R"({"role":"assistant","content":"hi"})");
  CAF_CHECK(x.message->id == message("assistant", "hi")->id);
}

CAF_TEST(messages of odd upstreams are put into shape) {
  const std::string call =
      R"({"id":"c","type":"function","function":{"name":"f","arguments":"{}"}})";
  const std::pair<std::string, std::string> table[] = {
      {"{}", R"({"role":"assistant","content":null,"refusal":null})"},
      {R"({"role":"model","content":5})", R"({"role":"assistant","content":null,"refusal":null})"},
      {R"({"content":"x","refusal":5})", R"({"role":"assistant","content":"x","refusal":null})"},
      {R"({"content":"x","audio":null,"function_call":null})",
       R"({"role":"assistant","content":"x","refusal":null})"},
      {R"({"content":"x","reasoning_content":"r"})",
       R"({"role":"assistant","content":"x","refusal":null,"reasoning_content":"r"})"},
      {R"({"content":[{"type":"thinking","x":1},{"type":"text","text":"a"},{"type":"text","text":"b"}]})",
       R"({"role":"assistant","content":"ab","refusal":null})"},
      {R"({"content":"x","tool_calls":[]})",
       R"({"role":"assistant","content":"x","refusal":null})"},
      {R"({"content":"x","tool_calls":{}})",
       R"({"role":"assistant","content":"x","refusal":null})"},
      {R"({"content":"x","tool_calls":[null,5]})",
       R"({"role":"assistant","content":"x","refusal":null})"},
      {R"({"tool_calls":[)" + call + "]}",
       R"({"role":"assistant","content":null,"refusal":null,"tool_calls":[)" + call + "]}"},
      {R"({"tool_calls":[{"id":"c","function":{"name":"f","arguments":{"a":1}}}]})",
       R"({"role":"assistant","content":null,"refusal":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]})"},
      {R"({"tool_calls":[{"id":"c","type":"function","function":{"name":"f"}}]})",
       R"({"role":"assistant","content":null,"refusal":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":""}}]})"},
      {R"({"tool_calls":[{"id":"c","type":"custom","custom":{"name":"f","input":"i"}}]})",
       R"({"role":"assistant","content":null,"refusal":null,"tool_calls":[{"id":"c","type":"custom","custom":{"name":"f","input":"i"}}]})"},
  };
  for (const auto& [given, expected] : table)
    CAF_CHECK_EQUAL(given + ": " + decoded(choice(given)).choices[0].message,
                    given + ": " + expected);
}

CAF_TEST(what enters the history could be sent back by a client) {
  const auto x = decoded(choice(
      R"({"content":null,"refusal":"no","reasoning_content":"r","annotations":[],"audio":{"id":"a","data":"d"},
    "tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]})"));
  CAF_CHECK_EQUAL(
      x.message->json,
      R"({"role":"assistant","content":null,"refusal":"no","tool_calls":[{"id":"c1","type":"function",)"
      R"("function":{"name":"f","arguments":"{}"}}],"audio":{"id":"a"}})");
  CAF_CHECK_EQUAL(x.message->reasoning, R"("r")");
  CAF_CHECK_EQUAL(x.message->calls, std::vector<std::string>{"c1"});
  CAF_CHECK(messages_of("[" + x.message->json + "]")[0]->id == x.message->id);
  CAF_CHECK(messages_of("[" + x.choices[0].message + "]")[0]->id == x.message->id);
}

CAF_TEST(finish reasons are one of the five of OpenAI) {
  const std::string calls = R"({"tool_calls":[{"id":"c","function":{"name":"f","arguments":""}}]})";
  struct row {
    std::string message;
    const char* members;
    const char* reason;
  };
  const row table[] = {
      {"{}", R"("finish_reason":"stop")", "stop"},
      {"{}", R"("finish_reason":"length")", "length"},
      {"{}", R"("finish_reason":"tool_calls")", "tool_calls"},
      {"{}", R"("finish_reason":"content_filter")", "content_filter"},
      {"{}", R"("finish_reason":"function_call")", "function_call"},
      {"{}", R"("finish_reason":"max_tokens")", "length"},
      {"{}", R"("finish_reason":"eos\"")", "stop"},
      {"{}", R"("finish_reason":null)", "stop"},
      {"{}", R"("x":1)", "stop"},
      {calls, R"("x":1)", "tool_calls"},
      {calls, R"("finish_reason":"stop")", "stop"},
  };
  for (const auto& x : table)
    CAF_CHECK_EQUAL(std::string{decoded(choice(x.message, x.members)).choices[0].finish_reason},
                    x.reason);
}

CAF_TEST(choices are ordered by index) {
  const auto x = decoded(
      R"({"choices":[{"index":1,"message":{"content":"b"},"logprobs":{"content":[]}},{"index":0,"message":{"content":"a"}}]})");
  CAF_REQUIRE_EQUAL(x.choices.size(), 2u);
  CAF_CHECK_EQUAL(at(x.choices[0].message, "content"), R"("a")");
  CAF_CHECK_EQUAL(at(x.choices[1].message, "content"), R"("b")");
  CAF_CHECK_EQUAL(x.choices[1].logprobs, R"({"content":[]})");
  CAF_CHECK_EQUAL(at(x.message->json, "content"), R"("a")");
  const auto unnumbered = decoded(R"({"choices":[{"message":{}},{"message":{}}]})");
  CAF_CHECK_EQUAL(unnumbered.choices[1].index, 1u);
}

CAF_TEST(missing usage is estimated) {
  for (const auto* json : {"null", "5", "{}", R"({"total_tokens":5})"}) {
    const auto x = decoded(usage(json)).usage;
    CAF_CHECK(x.estimated);
    CAF_CHECK_EQUAL(x.prompt, prompt_estimate);
    CAF_CHECK_GREATER(x.completion, 0u);
    CAF_CHECK_EQUAL(at(x.json, "prompt_tokens"), "77");
    CAF_CHECK_EQUAL(at(x.json, "completion_tokens"), std::to_string(x.completion));
    CAF_CHECK_EQUAL(at(x.json, "total_tokens"), std::to_string(77 + x.completion));
  }
}

CAF_TEST(usage always has three counts) {
  const auto x = decoded(usage(R"({"prompt_tokens":5,"completion_tokens":2})")).usage;
  CAF_CHECK(!x.estimated);
  CAF_CHECK_EQUAL(x.json, R"({"prompt_tokens":5,"completion_tokens":2,"total_tokens":7})");
}

CAF_TEST(answers that make no sense are failures of the upstream) {
  const std::string deep = R"({"choices":)" + std::string(200, '[') + std::string(200, ']') + "}";
  const std::string table[] = {"",
                               "<html>",
                               "[]",
                               "null",
                               "{}",
                               R"({"choices":null})",
                               R"({"choices":[]})",
                               R"({"choices":{}})",
                               R"({"choices":[5]})",
                               R"({"choices":[{}]})",
                               R"({"choices":[{"message":null}]})",
                               R"({"choices":[{"message":"x"}]})",
                               R"({"choices":[{"message":{}},null]})",
                               R"({"choices":[{"message":{"content":"x"}}])",
                               "{\"choices\":[{\"message\":{\"content\":\"\xff\"}}]}",
                               deep};
  for (const auto& body : table) {
    const auto why = refused(body);
    CAF_CHECK_EQUAL(body + std::to_string(why.http_status()), body + "502");
    CAF_CHECK(why.kind == error_kind::upstream_error);
  }
}

CAF_TEST(an error in an answer with status 200 is an error) {
  const auto why =
      refused(R"({"error":{"message":"out of tea","code":429},"choices":[{"message":{}}]})");
  CAF_CHECK(why.kind == error_kind::upstream_rate_limited);
  CAF_CHECK(why.message.find("out of tea") != std::string::npos);
  decoded(R"({"error":null,"choices":[{"message":{}}]})");
}

CAF_TEST(an error in an answer with status 200 is what it says it is) {
  const std::pair<const char*, error_kind> table[] = {
      {R"({"code":400})", error_kind::upstream_rejected},
      {R"({"code":"404"})", error_kind::upstream_rejected},
      {R"({"code":200,"status":401})", error_kind::upstream_auth_failed},
      {R"({"code":429})", error_kind::upstream_rate_limited},
      {R"({"code":504})", error_kind::upstream_timeout},
      {R"({"code":503})", error_kind::upstream_error},
      {R"({"code":600})", error_kind::upstream_error},
      {R"({"code":"400 x"})", error_kind::upstream_error},
      {R"({"code":"context_length_exceeded"})", error_kind::context_too_long},
      {R"({"type":"exceed_context_size_error"})", error_kind::context_too_long},
      {R"({"type":"invalid_request_error"})", error_kind::upstream_rejected},
      {R"({"type":"invalid_request_error","message":"maximum context length is 5"})",
       error_kind::context_too_long},
      {R"({"code":"rate_limit_exceeded"})", error_kind::upstream_rate_limited},
      {R"({"code":"insufficient_quota"})", error_kind::upstream_auth_failed},
      {R"({"message":"boom"})", error_kind::upstream_error},
  };
  for (const auto& [error, kind] : table) {
    CAF_MESSAGE(error);
    CAF_CHECK(refused(R"({"error":)" + std::string{error} + "}").kind == kind);
  }
}

CAF_TEST(refusals of an upstream pass on) {
  for (const int status : {400, 404, 405, 406, 409, 410, 413, 415, 422, 429, 431, 451}) {
    const auto why = http::decode_upstream_error(
        status, R"({"error":{"message":"too \"long\"","type":"t","param":"p","code":"c"}})", "7");
    CAF_CHECK(
        why.kind
        == (status == 429 ? error_kind::upstream_rate_limited : error_kind::upstream_rejected));
    CAF_CHECK_EQUAL(why.http_status(), status);
    CAF_CHECK_EQUAL(why.message, "too \"long\"");
    CAF_CHECK_EQUAL(why.type, "t");
    CAF_CHECK_EQUAL(why.param, "p");
    CAF_CHECK_EQUAL(why.code, "c");
    CAF_CHECK_EQUAL(why.retry_after, "7");
  }
}

CAF_TEST(each status of an upstream has its meaning) {
  const std::pair<int, error_kind> table[] = {
      {401, error_kind::upstream_auth_failed}, {402, error_kind::upstream_auth_failed},
      {407, error_kind::upstream_unreachable}, {408, error_kind::upstream_timeout},
      {504, error_kind::upstream_timeout},     {425, error_kind::upstream_error},
      {498, error_kind::upstream_error},       {301, error_kind::upstream_error},
      {500, error_kind::upstream_error},       {502, error_kind::upstream_error},
      {503, error_kind::upstream_error},       {599, error_kind::upstream_error},
  };
  for (const auto& [status, kind] : table) {
    const auto why =
        http::decode_upstream_error(status, R"({"error":{"message":"secret","code":"c"}})", "");
    CAF_MESSAGE(status);
    CAF_CHECK(why.kind == kind);
    CAF_CHECK_GREATER(why.http_status(), 500);
    CAF_CHECK_EQUAL(why.code, "");
    // What it says about our credentials is not the client's business.
    CAF_CHECK((kind != error_kind::upstream_auth_failed && kind != error_kind::upstream_unreachable)
              || why.message.find("secret") == std::string::npos);
  }
}

CAF_TEST(a model that the key may not use is not there) {
  const auto why = http::decode_upstream_error(
      403, R"({"error":{"message":"no access to x","code":"model_not_found"}})", "");
  CAF_CHECK(why.kind == error_kind::upstream_rejected);
  CAF_CHECK_EQUAL(why.http_status(), 404);
  CAF_CHECK_EQUAL(why.message, "no access to x");
  CAF_CHECK_EQUAL(why.code, "model_not_found");
  for (const int status : {401, 402})
    CAF_CHECK(
        http::decode_upstream_error(status, R"({"error":{"code":"model_not_found"}})", "").kind
        == error_kind::upstream_auth_failed);
}

CAF_TEST(a 403 may be about the request or about us and is passed on as one) {
  const http::redaction redact{{"sk-secret"}};
  const auto why = http::decode_upstream_error(
      403, R"({"error":{"message":"not here, sk-secret","code":"c","type":"t"}})", "", redact);
  CAF_CHECK(why.kind == error_kind::upstream_forbidden);
  CAF_CHECK_EQUAL(why.http_status(), 403);
  CAF_CHECK_EQUAL(why.message, "The upstream model refused this request: not here, [redacted]");
  CAF_CHECK_EQUAL(why.code, "");
  CAF_CHECK_EQUAL(http::decode_upstream_error(403, "", "").message,
                  "The upstream model refused this request (HTTP 403).");
}

CAF_TEST(no member of an error tells secrets) {
  const auto why = http::decode_upstream_error(
      400, R"({"error":{"message":"m K","type":"t K","param":"p K","code":"c K"}})", "",
      http::redaction{{"k"}});
  CAF_CHECK_EQUAL(why.message + why.type + why.param + why.code,
                  "m [redacted]t [redacted]p [redacted]c [redacted]");
}

CAF_TEST(a quota that is used up is for the operator) {
  const auto why = http::decode_upstream_error(
      429, R"({"error":{"message":"m","type":"insufficient_quota","code":"insufficient_quota"}})",
      "");
  CAF_CHECK(why.kind == error_kind::upstream_auth_failed);
  CAF_CHECK_EQUAL(why.http_status(), 502);
  CAF_CHECK(why.message.find("account") != std::string::npos);
}

CAF_TEST(a rate limit is no matter of length) {
  CAF_CHECK(http::decode_upstream_error(
                429, R"({"error":{"message":"maximum context length per minute"}})", "")
                .kind
            == error_kind::upstream_rate_limited);
}

CAF_TEST(error bodies of any kind are survived) {
  struct row {
    const char* body;
    const char* message;
    const char* code = "";
  };
  const row table[] = {
      {"", "The upstream model refused the request (HTTP 429)."},
      {"<html>no</html>", "The upstream model refused the request (HTTP 429)."},
      {"[]", "The upstream model refused the request (HTTP 429)."},
      {R"({"error":{"message":5}})", "The upstream model refused the request (HTTP 429)."},
      {R"({"error":[]})", "The upstream model refused the request (HTTP 429)."},
      {R"({"error":"slow down"})", "slow down"},
      {R"({"error":{"message":"m","code":429,"param":null,"type":[]}})", "m", "429"},
      {R"({"detail":"as FastAPI says it"})", "as FastAPI says it"},
      {R"({"object":"error","message":"as vLLM said it"})", "as vLLM said it"},
  };
  for (const auto& [body, message, code] : table) {
    const auto why = http::decode_upstream_error(429, body, "");
    CAF_CHECK_EQUAL(why.message, message);
    CAF_CHECK_EQUAL(why.type, "rate_limit_error");
    CAF_CHECK_EQUAL(why.code, code);
    CAF_CHECK_EQUAL(why.param, "");
  }
}

CAF_TEST(a prompt that is too long is known however it is said) {
  const char* table[] = {
      // OpenAI
      R"({"error":{"message":"m","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}})",
      // llama.cpp
      R"({"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error","n_prompt_tokens":9}})",
      // vLLM, now and before
      R"({"error":{"message":"This model's maximum context length is 8192 tokens. However, you requested 9000.","type":"BadRequestError","param":null,"code":400}})",
      R"({"object":"error","message":"This model's maximum context length is 8192 tokens.","type":"BadRequestError","param":null,"code":400})",
      R"({"error":"context length exceeded"})",
  };
  for (const auto* body : table) {
    const auto why = http::decode_upstream_error(400, body, "");
    CAF_MESSAGE(body);
    CAF_CHECK(why.kind == error_kind::context_too_long);
    CAF_CHECK_EQUAL(why.http_status(), 400);
    CAF_CHECK_EQUAL(why.code, "context_length_exceeded");
    CAF_CHECK(!why.message.empty());
  }
}

CAF_TEST(other refusals are no matter of length) {
  for (const auto* body :
       {R"({"error":{"message":"max_tokens is too long","code":"invalid_value"}})",
        R"({"error":{"message":"context","type":"invalid_request_error"}})", "", "<html>"})
    CAF_CHECK(http::decode_upstream_error(400, body, "").kind == error_kind::upstream_rejected);
  // A fault of the upstream is one, whatever it says.
  CAF_CHECK(http::decode_upstream_error(
                500, R"({"error":{"message":"m","code":"context_length_exceeded"}})", "")
                .kind
            == error_kind::upstream_error);
}
