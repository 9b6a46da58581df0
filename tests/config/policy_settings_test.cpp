#define CAF_SUITE policy_settings
#include "tests/test.hpp"

#include "config/loader.hpp"

using namespace lang_agent;

namespace {

using strings = std::vector<std::string>;

settings read(const std::string& policy) {
  return parse_settings("[[tenants]]\nname = \"t\"\nkeys = [\"k\"]\n[[upstreams]]\nname = \"u\"\n"
                        "[upstreams.parameters]\n"
                            + policy,
                        "my.toml", {});
}

std::string problem(const std::string& policy) {
  try {
    read(policy);
    return "nothing";
  } catch (const config_error& e) {
    return e.what();
  }
}

} // namespace

CAF_TEST(a parameter policy is read as it is written) {
  const auto policy = read(R"(
rename = { "max_tokens" = "max_completion_tokens" }
drop = ["logit_bias", "stream_options"]
refuse = ["audio", "stream", "n"]
instructions = "developer"
)")
                          .upstreams.at(0)
                          .parameters;
  CAF_CHECK_EQUAL(policy.rename.at("max_tokens"), "max_completion_tokens");
  CAF_CHECK_EQUAL(policy.drop, (strings{"logit_bias", "stream_options"}));
  CAF_CHECK_EQUAL(policy.refuse, (strings{"audio", "stream", "n"}));
  CAF_CHECK(policy.instructions == instruction_role::developer);
}

CAF_TEST(a parameter policy that cannot work is told) {
  const std::pair<const char*, const char*> table[] = {
      {R"(drop = ["model"])", R"(parameters.drop: no request goes without "model")"},
      {R"(drop = ["messages"])", R"(parameters.drop: no request goes without "messages")"},
      {R"(refuse = ["model"])", R"(parameters.refuse: no request goes without "model")"},
      {R"(refuse = ["messages"])", R"(parameters.refuse: no request goes without "messages")"},
      {R"(rename = { "model" = "x" })", R"(parameters.rename: no request goes without "model")"},
      {R"(rename = { "x" = "messages" })",
       R"(parameters.rename: no request goes without "messages")"},
      {R"(drop = [""])", "parameters.drop has an empty name"},
      {R"(refuse = ["a", ""])", "parameters.refuse has an empty name"},
      {R"(rename = { "" = "x" })", "parameters.rename has an empty name"},
      {R"(rename = { "x" = "" })", "parameters.rename has an empty name"},
      {R"(rename = { "x" = "x" })", R"(parameters.rename: "x" is renamed to itself)"},
      {"rename = { \"x\" = \"y\" }\ndrop = [\"x\"]", R"("x" is both dropped and renamed)"},
      {"refuse = [\"y\", \"x\"]\ndrop = [\"x\"]", R"("x" is both dropped and refused)"},
      {R"(drop = ["stream"])", R"(has to know whether to "stream")"},
      {R"(rename = { "stream_options" = "x" })", R"("stream_options" cannot be renamed)"},
      {R"(rename = { "x" = "stream" })", R"("stream" cannot be renamed or replaced)"},
  };
  for (const auto& [policy, expected] : table) {
    const auto why = problem(policy);
    CAF_MESSAGE(why);
    CAF_CHECK(why.find("upstream \"u\": ") == 0);
    CAF_CHECK(why.find(expected) != std::string::npos);
  }
}
