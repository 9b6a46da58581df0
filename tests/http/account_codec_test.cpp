#define CAF_SUITE account_codec
#include "tests/test.hpp"

#include "http/account_codec.hpp"

using namespace lang_agent;
using namespace std::chrono_literals;

namespace {

tenant_settings decoded(const std::string& body) {
  auto out = http::decode_tenant(body, "acme");
  if (const auto* why = std::get_if<failure>(&out))
    CAF_FAIL(why->message);
  return std::get<tenant_settings>(std::move(out));
}

/// The field that is at fault; "": none is.
std::string fault_of(const std::string& body) {
  const auto out = http::decode_tenant(body, "acme");
  const auto* why = std::get_if<failure>(&out);
  return why ? why->param : "";
}

http::usage_query usage_of(const std::string& query) {
  auto out = http::decode_usage_query(query, 1'769'903'940'000); // 2026-01-31
  if (const auto* why = std::get_if<failure>(&out))
    CAF_FAIL(why->message);
  return std::get<http::usage_query>(std::move(out));
}

bool is_bad_usage(const std::string& query) {
  return std::holds_alternative<failure>(http::decode_usage_query(query, 0));
}

usage_row row(const std::string& tenant, const std::string& model, std::int32_t day) {
  usage_counts counts;
  counts.requests = 2;
  counts.prompt_tokens = 30;
  counts.cost = 1'250'000;
  return {{tenant, "key_1", model, day}, counts};
}

} // namespace

CAF_TEST(an empty object is a tenant with the shipped settings) {
  tenant_settings expected;
  expected.name = "acme";
  CAF_CHECK(decoded("{}") == expected);
}

CAF_TEST(what is encoded is decoded to the same) {
  tenant_settings x;
  x.name = "acme";
  x.limits = {1, 2, 3, 4, 5, 6, 7, 8'250'001, 9};
  x.key_limits = {.max_turns = 5, .cost_per_month = 1};
  x.storage = {10, 11};
  x.weight = 12;
  x.max_waiting = 13;
  x.models = {"gpt-*", "a \"b\""};
  x.ttl = 14s;
  x.default_thread = "";
  x.on_busy = busy_policy::reject;
  x.on_disconnect = disconnect_policy::finish;
  const auto json = http::encode_tenant(x, "api");
  CAF_CHECK(decoded(json) == x);
  x.default_thread = "inbox";
  CAF_CHECK(decoded(http::encode_tenant(x, "config")) == x);
}

CAF_TEST(the field at fault is named) {
  const std::pair<const char*, const char*> table[] = {
      {R"({"max_turns":-1})", "max_turns"},
      {R"({"max_turns":"1"})", "max_turns"},
      {R"({"requests_per_minute":1000000001})", "requests_per_minute"},
      {R"({"cost_per_day":-0.1})", "cost_per_day"},
      {R"({"cost_per_day":1e10})", "cost_per_day"},
      {R"({"weight":0})", "weight"},
      {R"({"weight":1001})", "weight"},
      {R"({"models":"m"})", "models"},
      {R"({"models":[1]})", "models"},
      {R"({"default_thread":1.5})", "default_thread"},
      {R"({"on_busy":"panic"})", "on_busy"},
      {R"({"key_limits":[]})", "key_limits"},
      {R"({"key_limits":{"weight":1}})", "key_limits.weight"},
      {R"({"surprise":1})", "surprise"},
      {R"({"weight":1,"weight":2})", "weight"},
  };
  for (const auto& [body, field] : table)
    CAF_CHECK_EQUAL(fault_of(body), field);
  CAF_CHECK_EQUAL(fault_of(R"({"max_turns":null,"models":null})"), "");
}

CAF_TEST(ids of tenants are visible and have no slash) {
  for (const char* good : {"a", "acme-1", "user@example.org", "=x"})
    CAF_CHECK(http::is_tenant_id(good));
  for (const char* bad : {"", "a b", "a/b", "\xc3\xbc", "a\n"})
    CAF_CHECK(!http::is_tenant_id(bad));
  CAF_CHECK(!http::is_tenant_id(std::string(129, 'a')));
}

CAF_TEST(a change of a key says what is to change) {
  const auto change = [](const std::string& body) {
    return std::get<http::key_change>(http::decode_key_change(body, false));
  };
  const auto none = change("");
  CAF_CHECK(!none.label && !none.expires && !none.disabled);
  const auto all = change(R"({"label":"x","expires_at":12,"disabled":true})");
  CAF_CHECK_EQUAL(*all.label, "x");
  CAF_CHECK_EQUAL(*all.expires, 12'000);
  CAF_CHECK(*all.disabled);
  CAF_CHECK(change(R"({"expires_at":null})").expires == unix_ms{0});
  for (const char* bad :
       {R"({"label":1})", R"({"disabled":"no"})", R"({"expires_at":-1})", R"({"expires_at":0})",
        R"({"overlap_seconds":1})", R"({"key":"la-x"})", R"({"limits":1})",
        R"({"limits":{"max_turns":-1}})", R"({"limits":{"x":1}})", "[]", "{"})
    CAF_CHECK(std::holds_alternative<failure>(http::decode_key_change(bad, false)));
  const auto rotation = http::decode_key_change(R"({"overlap_seconds":60})", true);
  CAF_CHECK(std::get<http::key_change>(rotation).overlap_s == 60);
}

CAF_TEST(a change of a key is read as it was written) {
  http::key_change x;
  x.label = "a";
  x.expires = 5000;
  x.disabled = false;
  const auto back =
      std::get<http::key_change>(http::decode_key_change(http::encode_key_change(x), false));
  CAF_CHECK(back.label == x.label && back.expires == x.expires && back.disabled == x.disabled);
}

CAF_TEST(limits of a key are read as they were written) {
  const auto limits_of = [](const std::string& body) {
    return std::get<http::key_change>(http::decode_key_change(body, false)).limits;
  };
  CAF_CHECK(!limits_of("{}"));
  CAF_CHECK(limits_of(R"({"limits":null})") == "");
  const auto own = limits_of(R"({"limits":{"max_turns":3,"cost_per_day":0.5}})");
  CAF_REQUIRE(own);
  usage_limits expected;
  expected.max_turns = 3;
  expected.cost_per_day = 500'000;
  CAF_CHECK(http::decode_key_limits(*own) == expected);
  CAF_CHECK(!http::decode_key_limits(""));
  CAF_CHECK(!http::decode_key_limits(R"({"nonsense":1})"));
  stored_key key;
  CAF_CHECK(http::encode_key(key).find(R"("limits":null)") != std::string::npos);
  key.limits = *own;
  CAF_CHECK(http::encode_key(key).find(R"("limits":{"max_turns":3,)") != std::string::npos);
  http::key_change change;
  change.limits = own;
  CAF_CHECK(limits_of(http::encode_key_change(change)) == own);
}

CAF_TEST(a key is shown without its secret unless it is new) {
  stored_key key;
  key.id = "key_1";
  key.hint = "wxyz";
  CAF_CHECK(http::encode_key(key).find("\"key\":") == std::string::npos);
  CAF_CHECK(http::encode_key(key, "la-secret").find(R"("key":"la-secret")") != std::string::npos);
}

CAF_TEST(usage is asked for by days and names) {
  const auto all = usage_of("");
  CAF_CHECK_EQUAL(all.read.first_day, 0);
  CAF_CHECK_EQUAL(all.read.last_day, 20484);
  CAF_CHECK(!all.read.tenant && !all.csv);
  const auto some = usage_of("tenant=a%20b&model=m&from=2026-01-01&to=2026-01-30&format=csv");
  CAF_CHECK_EQUAL(*some.read.tenant, "a b");
  CAF_CHECK_EQUAL(some.read.first_day, 20454);
  CAF_CHECK_EQUAL(some.read.last_day, 20483);
  CAF_CHECK(some.csv);
  for (const char* bad : {"from=2026-02-30", "from=1.1.2026", "to=x", "limit=0", "limit=10001",
                          "format=xml", "after=1", "after=1/a/b", "after=x/a/b/c"})
    CAF_CHECK(is_bad_usage(bad));
}

CAF_TEST(a page of usage tells where the next one begins) {
  const page<usage_row> x{{row("a/b", "m&m", 20484)}, true};
  const auto json = http::encode_usage(x);
  const auto begin = json.find("\"next\":\"") + 8;
  const auto cursor = json.substr(begin, json.find('"', begin) - begin);
  std::string query = "after=";
  for (const char c : cursor) // as a client encodes a parameter
    query += c == '%' ? "%25" : std::string(1, c);
  CAF_CHECK(usage_of(query).read.after == x.data[0].key);
  CAF_CHECK(http::encode_usage({{}, false}).ends_with(R"("has_more":false,"next":null})"));
}

CAF_TEST(no cell of a table is taken for a formula) {
  const auto csv = http::encode_usage_csv({{row("=1+1", "a\"b,c\r\n", 0)}, false});
  CAF_CHECK(csv.find("1970-01-01,\"'=1+1\",\"key_1\",\"a\"\"b,c\r\n\",2,0,0,0,30,0,1.250000\r\n")
            != std::string::npos);
}

CAF_TEST(dates are written with all their digits) {
  const auto of = [](std::int32_t day) { return http::date_text(day); };
  CAF_CHECK_EQUAL(of(0), "1970-01-01");
  CAF_CHECK_EQUAL(of(20484), "2026-01-31");
}
