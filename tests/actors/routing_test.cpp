#define CAF_SUITE routing
#include "tests/test.hpp"

#include "actors/routing.hpp"

using namespace lang_agent;
using strings = std::vector<std::string>;

namespace {

upstream_settings upstream(const std::string& name, const strings& models, int priority = 0) {
  upstream_settings out;
  out.name = name;
  out.kind = upstream_kind::openai;
  out.models = models;
  out.priority = priority;
  return out;
}

struct fixture {
  settings config;

  fixture() {
    config.upstreams = {upstream("a", {"gpt", "mini"}), upstream("b", {"gpt"}),
                        upstream("c", {"qwen"}, 1), upstream("d", {"gpt"}, 2)};
  }

  /// The groups of a route in words, e.g. "a b, d".
  std::string find(const std::string& model, const std::string& tenant = "t") {
    const auto found = routing_table{config}.find(tenant, model);
    if (!found)
      return "nobody";
    std::string out;
    for (const auto& group : found->groups) {
      out += out.empty() ? "" : ",";
      for (const auto i : group.members)
        out += (out.empty() ? "" : " ") + config.upstreams[i].name;
    }
    return out;
  }

  strings models(const std::string& tenant = "t") {
    return routing_table{config}.models(tenant);
  }
};

} // namespace

CAF_TEST(a star stands for anything) {
  for (const auto* pattern : {"gpt-4o", "*", "gpt*", "*4o", "g*4*", "gpt-4o*", "**", "*gpt-4o*"})
    CAF_CHECK(fits("gpt-4o", pattern));
  for (const auto* pattern : {"", "gpt", "gpt-4", "*4", "o*", "gpt-4o?", "g*5*"})
    CAF_CHECK(!fits("gpt-4o", pattern));
  CAF_CHECK(fits("aXbXab", "a*ab"));
  CAF_CHECK(fits("", "*"));
}

CAF_TEST_FIXTURE_SCOPE(routing_tests, fixture)

CAF_TEST(a model goes to those who list it by priority) {
  CAF_CHECK_EQUAL(find("gpt"), "a b, d");
  CAF_CHECK_EQUAL(find("mini"), "a");
  CAF_CHECK_EQUAL(find("qwen"), "c");
}

CAF_TEST(an unknown model goes to anybody or to nobody) {
  CAF_CHECK_EQUAL(find("nonsense"), "a b, c, d");
  config.routing.unknown_model = unknown_model_policy::refuse;
  CAF_CHECK_EQUAL(find("nonsense"), "nobody");
  CAF_CHECK_EQUAL(find("gpt"), "a b, d");
}

CAF_TEST(the first route that fits counts) {
  config.routes = {{{"special", "g*"}, {}, {{"d"}, {"b", "a"}}}, {{"gpt"}, {}, {{"c"}}}};
  CAF_CHECK_EQUAL(find("gpt"), "d, a b");
  CAF_CHECK_EQUAL(find("special"), "d, a b");
  CAF_CHECK_EQUAL(find("qwen"), "c");
}

CAF_TEST(a route may be for some tenants only) {
  config.routes = {{{"gpt"}, {"vip", "staff"}, {{"d"}}}};
  CAF_CHECK_EQUAL(find("gpt", "vip"), "d");
  CAF_CHECK_EQUAL(find("gpt", "staff"), "d");
  CAF_CHECK_EQUAL(find("gpt", "other"), "a b, d");
}

CAF_TEST(equal groups are one group) {
  config.routes = {{{"x"}, {}, {{"a", "b"}}}, {{"y"}, {}, {{"b", "a"}, {"c"}}}};
  const routing_table routes{config};
  CAF_CHECK_EQUAL(routes.find("t", "x")->groups[0].number, routes.find("t", "y")->groups[0].number);
  CAF_CHECK(routes.find("t", "y")->groups[0].number != routes.find("t", "y")->groups[1].number);
  for (const auto& group : routes.find("t", "nonsense")->groups)
    CAF_CHECK_EQUAL(routes.groups()[group.number], group.members);
}

CAF_TEST(what upstreams refuse is known before they are asked) {
  config.upstreams[0].parameters.refuse = {"audio"};
  const routing_table routes{config};
  chat_parameters wanted;
  wanted.forwarded = R"(,"audio":{})";
  auto refused = routes.refused(*routes.find("t", "gpt"), wanted);
  CAF_CHECK_EQUAL(refused.upstreams, std::vector<std::size_t>{0});
  CAF_CHECK_EQUAL(refused.parameter, "");
  refused = routes.refused(*routes.find("t", "mini"), wanted); // only the first one has it
  CAF_CHECK_EQUAL(refused.parameter, "audio");
  wanted.forwarded = R"(,"seed":1)";
  CAF_CHECK(routes.refused(*routes.find("t", "mini"), wanted).upstreams.empty());
}

CAF_TEST(tenants are told of the models that they may name) {
  CAF_CHECK_EQUAL(models(), (strings{"gpt", "mini", "qwen"}));
  config.routes = {{{"best", "g*"}, {}, {{"a"}}}, {{"secret"}, {"vip"}, {{"a"}}}};
  CAF_CHECK_EQUAL(models(), (strings{"best", "gpt", "mini", "qwen"}));
  CAF_CHECK_EQUAL(models("vip"), (strings{"best", "secret", "gpt", "mini", "qwen"}));
}

CAF_TEST(an upstream without a list serves what its map or its model names) {
  auto x = upstream("plain", {});
  CAF_CHECK_EQUAL(served_models(x), strings{"plain"});
  x.model = "qwen-plus";
  CAF_CHECK_EQUAL(served_models(x), strings{"qwen-plus"});
  x.model_map = {{"chat", "qwen-plus"}, {"fast", "qwen-turbo"}};
  CAF_CHECK_EQUAL(served_models(x), (strings{"chat", "fast"}));
  CAF_CHECK_EQUAL(served_models(upstream_settings{}), strings{"builtin"});
}

CAF_TEST_FIXTURE_SCOPE_END()
