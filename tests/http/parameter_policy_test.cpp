#define CAF_SUITE parameter_policy
#include "tests/test.hpp"

#include "http/json.hpp"
#include "http/parameter_policy.hpp"
#include "http/upstream_codec.hpp"
#include "tests/http/json_tools.hpp"

using namespace lang_agent;
using namespace lang_agent::test;
using http::adapt;
using http::refused_parameter;

namespace {

using strings = std::vector<std::string>;
using names = std::map<std::string, std::string>;

chat_parameters forwarding(std::string forwarded) {
  chat_parameters out;
  out.model = "m";
  out.forwarded = std::move(forwarded);
  return out;
}

/// What a request with further members becomes. Defaults are added as the server ships.
chat_parameters decoded(const std::string& members, bool with_defaults = false) {
  http::decode_options options;
  if (!with_defaults) {
    options.temperature.reset();
    options.max_tokens.reset();
  }
  auto out = http::decode_chat_request(
      R"({"model":"m","messages":[{"role":"user","content":"hi"}],)" + members + "}", options);
  if (const auto* why = std::get_if<failure>(&out))
    CAF_FAIL(members << " is refused: " << why->message);
  return std::get<http::chat_request>(std::move(out)).parameters;
}

parameter_policy dropping(strings drop) {
  parameter_policy out;
  out.drop = std::move(drop);
  return out;
}

parameter_policy renaming(names rename) {
  parameter_policy out;
  out.rename = std::move(rename);
  return out;
}

parameter_policy refusing(strings refuse) {
  parameter_policy out;
  out.refuse = std::move(refuse);
  return out;
}

parameter_policy instructing(instruction_role x) {
  parameter_policy out;
  out.instructions = x;
  return out;
}

struct row {
  std::string given;
  std::string forwarded;
  std::string dropped;
};

void check(const parameter_policy& policy, const std::vector<row>& table) {
  for (const auto& x : table) {
    CAF_MESSAGE(x.given);
    const auto out = adapt(forwarding(x.given), {}, policy);
    CAF_CHECK_EQUAL(out.parameters.forwarded, x.forwarded);
    CAF_CHECK_EQUAL(out.dropped, x.dropped);
    parsed("{\"x\":0" + out.parameters.forwarded + "}"); // fails if it is no JSON
  }
}

} // namespace

CAF_TEST(an empty policy changes nothing) {
  const auto odd = forwarding(R"(, "a" : 1.50 ,"\u0062":[ 1 ],"c":{"n": 1e2},"c":"ü\u00fc")");
  const auto prompt =
      messages_of(R"([{"role":"system","content":"s"},{"role":"user","content":"u"}])");
  const auto out = adapt(odd, prompt, {});
  CAF_CHECK_EQUAL(out.parameters.forwarded, odd.forwarded);
  CAF_CHECK(out.prompt == prompt);
  CAF_CHECK_EQUAL(out.dropped, "");
  CAF_CHECK_EQUAL(refused_parameter(odd, {}), "");
}

CAF_TEST(dropped parameters are gone and named and the others keep their bytes) {
  check(dropping({"n", "logit_bias", "überraschung", "a\"b"}),
        {{"", "", ""},
         {R"(,"x":1)", R"(,"x":1)", ""},
         {R"(,"n":2)", "", "n"},
         {R"(,"n":2,"x":1.50,"y":[ 1 ])", R"(,"x":1.50,"y":[ 1 ])", "n"},
         {R"(,"x":1,"logit_bias":{"1":2},"y":"\u0041")", R"(,"x":1,"y":"\u0041")", "logit_bias"},
         {R"(,"logit_bias":null,"n":1)", "", "logit_bias, n"},
         {R"(,"\u006e":1,"N":2,"nn":3)", R"(,"N":2,"nn":3)", "n"},
         {R"(, "n" : 1 , "x" : 2 )", R"( , "x" : 2)", "n"},
         {R"(,"x":{"n":1,"logit_bias":[{"n":2}]},"y":"\"n\":1")",
          R"(,"x":{"n":1,"logit_bias":[{"n":2}]},"y":"\"n\":1")", ""},
         {R"(,"n":1,"x":2,"n":3)", R"(,"x":2)", "n"},
         {R"(,"überraschung":1,"\u00fcberraschung":2,"😀":3)", R"(,"😀":3)", "überraschung"},
         {R"(,"a\"b":"}","c":"{\",\"n\":1")", R"(,"c":"{\",\"n\":1")", "a\"b"}});
}

CAF_TEST(renamed parameters keep their values byte for byte) {
  check(renaming({{"max_tokens", "max_completion_tokens"}, {"user", "a\"é"}}),
        {{R"(,"max_tokens":7)", R"(,"max_completion_tokens":7)", ""},
         {R"(,"x":[1 ],"max_tokens" : 7.0 ,"y":2)",
          R"(,"x":[1 ],"max_completion_tokens":7.0 ,"y":2)", ""},
         {R"(,"max\u005ftokens":7)", R"(,"max_completion_tokens":7)", ""},
         {R"(,"user":"a\u0062 \"user\"")", R"(,"a\"é":"a\u0062 \"user\"")", ""},
         {R"(,"x":{"max_tokens":7})", R"(,"x":{"max_tokens":7})", ""},
         {R"(,"max_tokens":{"max_tokens": [ 7 ]})",
          R"(,"max_completion_tokens":{"max_tokens": [ 7 ]})", ""}});
}

CAF_TEST(of two parameters that mean the same the one with the right name wins) {
  check(renaming({{"max_tokens", "max_completion_tokens"}}),
        {{R"(,"max_completion_tokens":8,"max_tokens":7)", R"(,"max_completion_tokens":8)",
          "max_tokens"},
         {R"(,"max_tokens":7,"max_completion_tokens":8,"x":1)",
          R"(,"max_completion_tokens":8,"x":1)", "max_tokens"}});
  check(renaming({{"a", "c"}, {"b", "c"}}), {{R"(,"a":1,"b":2)", R"(,"c":1)", "b"},
                                             {R"(,"b":2,"a":1)", R"(,"c":2)", "a"},
                                             {R"(,"a":1,"a":2)", R"(,"c":1)", "a"},
                                             {R"(,"a":1,"b":2,"c":3)", R"(,"c":3)", "a, b"}});
}

CAF_TEST(names can be exchanged and follow each other) {
  check(renaming({{"a", "b"}, {"b", "a"}}),
        {{R"(,"a":1,"b":2)", R"(,"b":1,"a":2)", ""}, {R"(,"b":2)", R"(,"a":2)", ""}});
  check(renaming({{"a", "b"}, {"b", "c"}}),
        {{R"(,"a":1,"b":2)", R"(,"b":1,"c":2)", ""}, {R"(,"b":2,"c":3)", R"(,"c":3)", "b"}});
}

CAF_TEST(the place of a dropped parameter is free for a renamed one) {
  parameter_policy policy = renaming({{"a", "b"}});
  policy.drop = {"b"};
  check(policy, {{R"(,"a":1,"b":2)", R"(,"b":1)", "b"}, {R"(,"b":2)", "", "b"}});
}

CAF_TEST(defaults that the server adds are subject to the policy) {
  auto policy = renaming({{"max_tokens", "max_completion_tokens"}});
  policy.drop = {"temperature"};
  const auto out = adapt(decoded(R"("x":1)", true), {}, policy);
  CAF_CHECK_EQUAL(out.parameters.forwarded, R"(,"x":1,"max_completion_tokens":500)");
  CAF_CHECK_EQUAL(out.dropped, "temperature");
  CAF_CHECK_EQUAL(out.parameters.max_tokens.value_or(0), 500);
  CAF_CHECK_EQUAL(refused_parameter(decoded(R"("x":1)", true), refusing({"temperature"})),
                  "temperature");
}

CAF_TEST(what is dropped no longer counts) {
  const auto x = decoded(R"("n":3,"max_tokens":7)");
  CAF_CHECK_EQUAL(adapt(x, {}, dropping({"n"})).parameters.choices, 1u);
  CAF_CHECK_EQUAL(adapt(x, {}, dropping({"n"})).parameters.max_tokens.value_or(0), 7);
  CAF_CHECK_EQUAL(adapt(x, {}, dropping({"max_tokens"})).parameters.choices, 3u);
  CAF_CHECK(!adapt(x, {}, dropping({"max_tokens"})).parameters.max_tokens);
}

CAF_TEST(streams need not ask for usage) {
  struct stream_row {
    const char* members;
    const char* options;
    const char* dropped;
  };
  const stream_row table[] = {
      {R"("stream":true)", "absent", ""},
      {R"("stream":true,"stream_options":{})", "absent", ""},
      {R"("stream":true,"stream_options":{"include_usage":true})", "absent", "stream_options"},
      {R"("stream":true,"stream_options":{"x":1})", "absent", "stream_options"},
  };
  for (const auto& x : table) {
    CAF_MESSAGE(x.members);
    const auto out = adapt(decoded(x.members), {}, dropping({"stream_options"}));
    CAF_CHECK(!out.parameters.ask_usage);
    CAF_CHECK_EQUAL(out.dropped, x.dropped);
    const auto body = http::encode_upstream_request(out.parameters, {}, "", false);
    CAF_CHECK_EQUAL(at(body, "stream"), "true");
    CAF_CHECK_EQUAL(at(body, "stream_options"), x.options);
  }
}

CAF_TEST(other options of a stream are kept) {
  const auto x = decoded(R"("stream":true,"stream_options":{"x":1,"include_usage":false},"n":1)");
  const auto out = adapt(x, {}, dropping({"n"}));
  CAF_CHECK_EQUAL(
      at(http::encode_upstream_request(out.parameters, {}, "", false), "stream_options"),
      R"({"include_usage":true,"x":1})");
}

CAF_TEST(refused parameters are found wherever they stand) {
  const auto policy = refusing({"audio", "stream", "n", "stream_options", "größe"});
  const std::pair<const char*, const char*> table[] = {
      {R"("x":1)", ""},
      {R"("audio":{"format":"wav","voice":"v"})", "audio"},
      {R"("x":1,"aud\u0069o":{"format":"wav","voice":"v"})", "audio"},
      {R"("x":{"audio":1},"y":"audio","z":["n"])", ""},
      {R"("Audio":1,"audi":2)", ""},
      {R"("stream":true)", "stream"},
      {R"("stream":false)", ""},
      {R"("stream":null)", ""},
      {R"("n":1)", "n"},
      {R"("n":null)", ""},
      {R"("n":2,"stream":true,"audio":{"format":"wav","voice":"v"})", "n"},
      {R"("stream_options":{"include_usage":true})", "stream_options"},
      {R"("stream_options":{"x":1})", "stream_options"},
      {R"("stream_options":null)", ""},
      {R"( "gr\u00f6\u00dfe" : 1)", "größe"},
  };
  for (const auto& [members, expected] : table) {
    CAF_MESSAGE(members);
    CAF_CHECK_EQUAL(refused_parameter(decoded(members), policy), expected);
  }
}

CAF_TEST(instructions get the role that the upstream knows) {
  const std::string text =
      R"([{ "content" : "\u0061 \"role\":\"system\"", "role" : "system" ,"name":"x"},)"
      R"({"role":"developer","content":[ {"type":"text","text":"b","role":"developer"} ]},)"
      R"({"r\u006fle":"developer","content":"ü"},{"role":"user","content":"system"}])";
  const auto prompt = messages_of(text);
  const auto before = texts_of(prompt);

  const auto developer = adapt({}, prompt, instructing(instruction_role::developer)).prompt;
  CAF_CHECK_EQUAL(
      developer[0]->json,
      R"({ "content" : "\u0061 \"role\":\"system\"", "role" : "developer" ,"name":"x"})");
  CAF_CHECK(developer[0]->who == role::developer);
  CAF_CHECK(developer[1] == prompt[1]);
  CAF_CHECK(developer[2] == prompt[2]);

  const auto system = adapt({}, prompt, instructing(instruction_role::system)).prompt;
  CAF_CHECK(system[0] == prompt[0]);
  CAF_CHECK_EQUAL(
      system[1]->json,
      R"({"role":"system","content":[ {"type":"text","text":"b","role":"developer"} ]})");
  CAF_CHECK_EQUAL(system[2]->json, R"({"r\u006fle":"system","content":"ü"})");
  CAF_CHECK(system[2]->id == prompt[2]->id);
  CAF_CHECK_EQUAL(system[2]->tokens, prompt[2]->tokens);
  CAF_CHECK(system[3] == prompt[3]);

  CAF_CHECK_EQUAL(texts_of(prompt), before);
  CAF_CHECK(prompt[1]->who == role::developer);
}

CAF_TEST(requests of any nesting that was let in are understood) {
  const std::string deep = std::string(3000, '[') + std::string(3000, ']');
  const auto out = adapt(forwarding(R"(,"x":)" + deep + R"(,"n":1)"), {}, dropping({"n"}));
  CAF_CHECK_EQUAL(out.parameters.forwarded, R"(,"x":)" + deep);
}

CAF_TEST(random parameters survive as they are) {
  std::mt19937 random{7};
  for (int i = 0; i < 300; ++i) {
    std::string forwarded;
    std::string kept;
    for (auto n = random() % 6; n > 0; --n) {
      std::string member = ",";
      const bool drop = random() % 3 == 0;
      http::append_json_string(member, drop ? "gone" : "k" + random_text(random, 8));
      member += ": ";
      http::append_json_string(member, random_text(random, 20));
      forwarded += member;
      kept += drop ? "" : member;
    }
    CAF_CHECK_EQUAL(adapt(forwarding(forwarded), {}, dropping({"gone"})).parameters.forwarded,
                    kept);
  }
}
