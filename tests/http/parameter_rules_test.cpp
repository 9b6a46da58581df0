#define CAF_SUITE parameter_rules
#include "tests/test.hpp"

#include "http/parameter_rules.hpp"
#include "tests/http/json_tools.hpp"

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

/// What a parameter accepts, what it refuses, and the `param` of the refusal. Values are separated
/// by blanks, so they have none inside.
struct row {
  const char* name;
  const char* right;
  const char* wrong;
  const char* param = nullptr; ///< when it is not the name itself
};

const row table[] = {
    {"audio", R"({"format":"wav","voice":"a"} {"format":"pcm16","voice":{"id":"v"}})",
     R"("wav" 1 [])"},
    {"audio", "", R"({} {"format":"ogg","voice":"a"} {"format":1,"voice":"a"})", "audio.format"},
    {"audio", "", R"({"format":"wav"} {"format":"mp3","voice":1})", "audio.voice"},
    {"frequency_penalty", "-2 2 0 0.5 -1.99", R"(-2.1 2.01 "1" true [] {} 1e300)"},
    {"presence_penalty", "-2 2 0 0.5", R"(-3 3 "0" false)"},
    {"function_call", R"("none" "auto" {"name":"f"})", R"("required" "" 1 [] {} {"name":1} true)"},
    {"functions", R"([{"name":"f"}])", R"([] {} "f" 1)"},
    {"functions", "", R"([{}] [1] [{"name":1}])", "functions[0]"},
    {"logit_bias", R"({} {"50256":-100} {"1":100,"2":0.5})", R"([] 1 "x")"},
    {"logit_bias", "", R"({"7":101} {"7":-100.5} {"7":"1"} {"7":null})", "logit_bias.7"},
    {"logprobs", "true false", R"(1 "true" [] {})"},
    {"max_completion_tokens", "1 128000", R"(0 -1 1.5 "5" true [] 9223372036854775808)"},
    {"max_tokens", "1 500 9223372036854775807", R"(0 -1 1.5 1.0 "5" false {})"},
    {"messages", "[]", R"({} "x" 1 true)"},
    {"metadata", R"({} {"k":"v"})", R"([] "x" 1)"},
    {"metadata", "", R"({"k":1} {"k":null} {"k":["v"]})", "metadata.k"},
    {"modalities", R"(["text"] ["text","audio"])", R"("text" ["video"] [1] {})"},
    {"model", R"("m")", "1 [] {} true"},
    {"moderation", R"({} {"model":"m"})", R"([] "m" 1)"},
    {"n", "1 128", R"(0 129 -1 1.5 "1" true [])"},
    {"parallel_tool_calls", "true false", R"(0 "no" [] {})"},
    {"prediction", R"({"type":"content","content":"x"} {"type":"content","content":[]})",
     R"([] "x" 1)"},
    {"prediction", "", R"({} {"type":"text","content":"x"} {"type":1,"content":"x"})",
     "prediction.type"},
    {"prediction", "", R"({"type":"content"} {"type":"content","content":1})",
     "prediction.content"},
    {"prompt_cache_key", R"("k")", "1 [] {} true"},
    {"prompt_cache_options", R"({"mode":"m"})", R"(1 [] "x")"},
    {"prompt_cache_retention", R"("24h")", "24 [] {}"},
    {"reasoning_effort", R"("none" "minimal" "low" "medium" "high" "xhigh" "max")",
     R"("" "huge" "High" 1 [] {} true)"},
    {"response_format", R"({"type":"text"} {"type":"json_object"}
     {"type":"json_schema","json_schema":{"name":"a_B-9","schema":{},"strict":true}}
     {"type":"json_schema","json_schema":{"name":"n","strict":null}})",
     R"("text" 1 [])"},
    {"response_format", "", R"({} {"type":"xml"} {"type":1})", "response_format.type"},
    {"response_format", "", R"({"type":"json_schema"} {"type":"json_schema","json_schema":"x"})",
     "response_format.json_schema"},
    {"response_format", "",
     R"({"type":"json_schema","json_schema":{}} {"type":"json_schema","json_schema":{"name":"ä"}}
     {"type":"json_schema","json_schema":{"name":""}}
     {"type":"json_schema","json_schema":{"name":"a.b"}})",
     "response_format.json_schema.name"},
    {"response_format", "", R"({"type":"json_schema","json_schema":{"name":"n","schema":[]}})",
     "response_format.json_schema.schema"},
    {"response_format", "", R"({"type":"json_schema","json_schema":{"name":"n","strict":1}})",
     "response_format.json_schema.strict"},
    {"safety_identifier", R"("" "s")", "1 [] {}"},
    {"seed", "0 -1 9223372036854775807 -9223372036854775808",
     R"(1.5 "1" 9223372036854775808 true [])"},
    {"service_tier", R"("auto" "default" "flex" "scale" "priority" "fast")",
     R"("slow" "" 1 [] {})"},
    {"stop", R"("x" "" ["a"] ["a","b","c","d"])",
     R"([] ["a","b","c","d","e"] [1] ["a",null] 1 {})"},
    {"store", "true false", R"(1 "true" {})"},
    {"stream", "true false", R"(1 "true" [] {})"},
    {"stream_options", R"({} {"include_usage":true} {"include_usage":null,"other":1})",
     R"(true [] "x" 1)"},
    {"stream_options", "", R"({"include_usage":1} {"include_usage":"true"})",
     "stream_options.include_usage"},
    {"stream_options", "", R"({"include_obfuscation":0})", "stream_options.include_obfuscation"},
    {"temperature", "0 2 0.7 1e-3", R"(-0.1 2.1 "1" true [] {})"},
    {"tool_choice", R"("none" "auto" "required" {"type":"function","function":{"name":"f"}}
     {"type":"allowed_tools"})",
     R"("any" "" 1 [] {} {"type":1})"},
    {"tools",
     R"([] [{"type":"function","function":{"name":"f"}}] [{"type":"custom","custom":{"name":"c"}}]
     [{"type":"web_search"}])",
     R"({} "x" 1)"},
    {"tools", "", "[1] [null] [[]]", "tools[0]"},
    {"tools", "", R"([{}] [{"type":1}])", "tools[0].type"},
    {"tools", "",
     R"([{"type":"web"},{"type":"function"}] [{"type":"web"},{"type":"function","function":[]}])",
     "tools[1].function"},
    {"tools", "", R"([{"type":"custom","custom":{}}] [{"type":"custom","custom":{"name":1}}])",
     "tools[0].custom.name"},
    {"top_logprobs", "0 20", R"(-1 21 1.5 "1" true)"},
    {"top_p", "0 1 0.5", R"(-0.1 1.1 "1" true [])"},
    {"user", R"("" "u")", "1 [] {} true"},
    {"verbosity", R"("low" "medium" "high")", R"("max" 1 [] {})"},
    {"web_search_options", "{}", R"([] "x" 1)"},
};

std::string param_of(const std::string& name, const std::string& json) {
  const auto why = http::check_parameter(name, parsed(json));
  if (!why)
    return "none";
  CAF_CHECK(why->kind == error_kind::invalid_request);
  CAF_CHECK(why->message.find("'" + why->param + "'") != std::string::npos);
  return why->param;
}

} // namespace

CAF_TEST(each parameter has its type and range) {
  for (const auto& x : table) {
    CAF_MESSAGE(x.name);
    std::istringstream right{x.right};
    for (std::string json; right >> json;)
      CAF_CHECK_EQUAL(json + ": " + param_of(x.name, json), json + ": none");
    std::istringstream wrong{x.wrong};
    for (std::string json; wrong >> json;)
      CAF_CHECK_EQUAL(json + ": " + param_of(x.name, json),
                      json + ": " + (x.param ? x.param : x.name));
    CAF_CHECK_EQUAL(param_of(x.name, "null"), "none"); // the same as not given
  }
}

CAF_TEST(lengths are counted in characters) {
  const auto quoted = [](std::size_t n) {
    std::string out;
    while (n--)
      out += "é";
    return "\"" + out + "\"";
  };
  CAF_CHECK_EQUAL(param_of("safety_identifier", quoted(64)), "none");
  CAF_CHECK_EQUAL(param_of("safety_identifier", quoted(65)), "safety_identifier");
  CAF_CHECK_EQUAL(param_of("metadata", "{" + quoted(64) + ":" + quoted(512) + "}"), "none");
  CAF_CHECK_EQUAL(param_of("metadata", "{" + quoted(65) + R"(:"x"})"), "metadata");
  CAF_CHECK_EQUAL(param_of("metadata", R"({"k":)" + quoted(513) + "}"), "metadata.k");
  const auto schema = [](std::size_t n) {
    return R"({"type":"json_schema","json_schema":{"name":")" + std::string(n, 'a') + R"("}})";
  };
  CAF_CHECK_EQUAL(param_of("response_format", schema(64)), "none");
  CAF_CHECK_EQUAL(param_of("response_format", schema(65)), "response_format.json_schema.name");
}

CAF_TEST(lists and maps have a largest size) {
  const auto metadata = [](int pairs) {
    std::string out;
    for (int i = 0; i < pairs; ++i)
      out += (i ? ",\"" : "\"") + std::to_string(i) + R"(":"v")";
    return "{" + out + "}";
  };
  const auto functions = [](int n) {
    std::string out;
    for (int i = 0; i < n; ++i)
      out += i ? R"(,{"name":"f"})" : R"({"name":"f"})";
    return "[" + out + "]";
  };
  CAF_CHECK_EQUAL(param_of("metadata", metadata(16)), "none");
  CAF_CHECK_EQUAL(param_of("metadata", metadata(17)), "metadata");
  CAF_CHECK_EQUAL(param_of("functions", functions(128)), "none");
  CAF_CHECK_EQUAL(param_of("functions", functions(129)), "functions");
}

CAF_TEST(what OpenAI does not know is the business of the upstream) {
  for (const auto* json : {"1", "\"x\"", "[]", "{}", "true", "null"})
    CAF_CHECK_EQUAL(param_of("top_k", json), "none");
}
