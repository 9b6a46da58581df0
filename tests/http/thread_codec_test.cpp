#define CAF_SUITE thread_codec
#include "tests/test.hpp"

#include "tests/http/thread_tools.hpp"

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

std::string joined(const http::list_parameters& x) {
  return std::to_string(x.limit) + " " + (x.ascending ? *x.ascending ? "asc" : "desc" : "unset")
         + " " + x.after + " " + (x.superseded ? "true" : "false");
}

} // namespace

CAF_TEST(queries of lists) {
  const std::pair<const char*, const char*> good[] = {
      {"", "20 unset  false"},
      {"&&", "20 unset  false"},
      {"limit=1", "1 unset  false"},
      {"limit=100&order=asc", "100 asc  false"},
      {"order=desc&after=msg_5&superseded=true", "20 desc msg_5 true"},
      {"after=a%2Fb+c%2Bd&superseded=false", "20 unset a/b c+d false"},
      {"%6cimit=5", "5 unset  false"},
      {"before=x&include[]=y&LIMIT=0", "20 unset  false"},
      {"after", "20 unset  false"},
      {"after=a=b", "20 unset a=b false"},
      {"limit=3&limit=4", "4 unset  false"},
  };
  for (const auto& [query, want] : good) {
    CAF_MESSAGE(query);
    CAF_CHECK_EQUAL(joined(accepted<http::list_parameters>(http::decode_list_query(query))), want);
  }
  const std::pair<const char*, const char*> bad[] = {
      {"limit=0", "limit"},
      {"limit=101", "limit"},
      {"limit=", "limit"},
      {"limit=-1", "limit"},
      {"limit=%2B5", "limit"},
      {"limit=5x", "limit"},
      {"limit", "limit"},
      {"limit=1e1", "limit"},
      {"limit=99999999999999999999", "limit"},
      {"order=ASC", "order"},
      {"order=", "order"},
      {"superseded=1", "superseded"},
      {"superseded", "superseded"},
  };
  for (const auto& [query, param] : bad) {
    CAF_MESSAGE(query);
    const auto result = http::decode_list_query(query);
    CAF_CHECK_EQUAL(param_of(result), param);
    CAF_CHECK(refused(result).kind == error_kind::invalid_request);
  }
}

CAF_TEST(ids of messages) {
  for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{12}, UINT64_MAX})
    CAF_CHECK(http::parse_message_id(http::message_id(number)) == number);
  CAF_CHECK_EQUAL(http::message_id(12), "msg_12");
  for (const char* bad : {"", "msg_", "msg", "12", "msg_x", "msg_1x", "msg_-1", "msg_+1", "msg_ 1",
                          "msg_01", "MSG_1", "msg_18446744073709551616"})
    CAF_CHECK(!http::parse_message_id(bad));
}

CAF_TEST(ids of threads) {
  std::string longest;
  for (int i = 0; i < 128; ++i)
    longest += "😀";
  for (const auto& good : {std::string{"a"}, std::string{"a/b ?%"}, std::string{"中 é"}, longest})
    CAF_CHECK(http::is_thread_id(good));
  const std::string bad[] = {
      "",
      longest + "a",
      "a\nb",
      std::string{"\0", 1},
      "\x7f",
      "\xc2\x80",
      "\xc2\x9f",
      "\xff",
      "a\xe4\xb8",
      "\xc0\x80",
      "\xf5\x80\x80\x80",
      "\xed\xa0\x80",
      "\x80",
  };
  for (const auto& id : bad)
    CAF_CHECK(!http::is_thread_id(id));
}

CAF_TEST(threads as the API shows them) {
  thread_info x{
      "a\"/",
      1'700'000'000'999,
      1'700'000'001'000,
      2,
      5,
      77,
      {{"k", "v\n"}, {"", "é"}},
      messages_of(R"([{"role":"system","content":"s"},{"role":"developer","content":"d"}])")};
  const std::string common = R"({"id":"a\"/","object":"thread","created_at":1700000000,)"
                             R"("updated_at":1700000001,"turns":2,"messages":5,"tokens":77,)"
                             R"("metadata":{"":"é","k":"v\n"})";
  CAF_CHECK_EQUAL(http::encode_thread(x, false), common + "}");
  CAF_CHECK_EQUAL(http::encode_thread(x, true),
                  common
                      + R"(,"instructions":[{"role":"system","content":"s"},)"
                        R"({"role":"developer","content":"d"}]})");
  auto second = x;
  second.id = "b";
  CAF_CHECK_EQUAL(http::encode_thread_list({{x, second}, true}),
                  R"({"object":"list","data":[)" + http::encode_thread(x, false) + ","
                      + http::encode_thread(second, false)
                      + R"(],"first_id":"a\"/","last_id":"b","has_more":true})");
  CAF_CHECK_EQUAL(http::encode_thread_list({}),
                  R"({"object":"list","data":[],"first_id":null,"last_id":null,"has_more":false})");
  CAF_CHECK_EQUAL(http::encode_import_result({x, second}),
                  R"({"object":"list","data":[)" + http::encode_thread(x, false) + ","
                      + http::encode_thread(second, false) + "]}");
  CAF_CHECK_EQUAL(http::encode_import_result({}), R"({"object":"list","data":[]})");
  CAF_CHECK_EQUAL(http::encode_thread_deleted("a\""),
                  R"({"id":"a\"","object":"thread.deleted","deleted":true})");
}

CAF_TEST(messages as the API shows them) {
  auto x = stored(7, R"({"role":"assistant","content" : "a"})");
  auto copy = std::make_shared<chat_message>(*x.message);
  copy->reasoning = R"("be\ncause")";
  copy->tokens = 9;
  x.message = copy;
  x.superseded = true;
  const auto list =
      http::encode_message_list({{stored(3, R"({"role":"user","content":"q"})"), x}, true});
  const auto tokens = at(list, "data/0/tokens");
  CAF_CHECK_EQUAL(
      list,
      R"({"object":"list","data":[{"id":"msg_3","object":"thread.message","created_at":1700000000,)"
      R"("superseded":false,"tokens":)"
          + tokens
          + R"(,"message":{"role":"user","content":"q"}},{"id":"msg_7","object":"thread.message",)"
            R"("created_at":1700000000,"superseded":true,"tokens":9,)"
            R"("message":{"role":"assistant","content" : "a"},"reasoning_content":"be\ncause"}],)"
            R"("first_id":"msg_3","last_id":"msg_7","has_more":true})");
}

CAF_TEST(bodies of forks) {
  struct row {
    const char* body;
    const char* id;
    std::optional<std::uint64_t> up_to;
  };
  const row good[] = {
      {"", "", {}},
      {"{}", "", {}},
      {R"({"id":null,"up_to":null,"other":1})", "", {}},
      {R"({"id":"a/b"})", "a/b", {}},
      {R"({"id":-42})", "-42", {}},
      {R"( {"up_to":"msg_5"} )", "", 5},
      {R"({"id":"x","up_to":"msg_0"})", "x", 0},
  };
  for (const auto& x : good) {
    CAF_MESSAGE(x.body);
    const auto fork = accepted<http::fork_parameters>(http::decode_fork(x.body));
    CAF_CHECK_EQUAL(fork.id, x.id);
    CAF_CHECK(fork.up_to == x.up_to);
  }
  const std::pair<const char*, const char*> bad[] = {
      {R"({"id":""})", "id"},        {R"({"id":"a\nb"})", "id"},        {R"({"id":1.5})", "id"},
      {R"({"id":{}})", "id"},        {R"({"id":"a","id":"b"})", "id"},  {R"({"up_to":5})", "up_to"},
      {R"({"up_to":"5"})", "up_to"}, {R"({"up_to":"msg_x"})", "up_to"},
  };
  for (const auto& [body, param] : bad) {
    CAF_MESSAGE(body);
    CAF_CHECK_EQUAL(param_of(http::decode_fork(body)), param);
  }
  for (const char* body : {"{", "[]", " ", "null", "{}x", "{\"a\":\"\xff\"}"})
    CAF_CHECK(refused(http::decode_fork(body)).kind == error_kind::invalid_json);
}

CAF_TEST(changes of metadata) {
  const auto decode = [](const std::string& metadata) {
    return http::decode_metadata_changes(R"({"metadata":)" + metadata + "}");
  };
  using changes = std::map<std::string, std::optional<std::string>>;
  CAF_CHECK(accepted<changes>(decode("{}")).empty());
  CAF_CHECK(accepted<changes>(decode(R"({"a":"b","c":null,"é":"","\u0000":"\n"})"))
            == (changes{{"a", "b"}, {"c", {}}, {"é", ""}, {std::string{"\0", 1}, "\n"}}));
  const auto texts = [](std::size_t name, std::size_t value) {
    std::string out = R"({")";
    for (; name > 0; --name)
      out += "中";
    out += R"(":")";
    for (; value > 0; --value)
      out += "😀";
    return out + R"("})";
  };
  CAF_CHECK_EQUAL(param_of(decode(texts(64, 512))), "");
  CAF_CHECK_EQUAL(param_of(decode(texts(65, 1))), "metadata");
  CAF_CHECK_EQUAL(param_of(decode(texts(0, 1))), "metadata");
  CAF_CHECK_EQUAL(param_of(decode(texts(1, 513))), "metadata.中");
  CAF_CHECK_EQUAL(param_of(decode(R"({"a":5})")), "metadata.a");
  CAF_CHECK_EQUAL(param_of(decode(R"({"a":{}})")), "metadata.a");
  CAF_CHECK_EQUAL(param_of(decode(R"({"a":"x","a":null})")), "metadata.a");
  for (const char* bad : {"[]", "null", "\"x\"", "5"})
    CAF_CHECK_EQUAL(param_of(decode(bad)), "metadata");
  CAF_CHECK_EQUAL(param_of(http::decode_metadata_changes("{}")), "metadata");
  CAF_CHECK_EQUAL(param_of(http::decode_metadata_changes(R"({"metadata":{},"metadata":{}})")),
                  "metadata");
  CAF_CHECK(refused(http::decode_metadata_changes("")).kind == error_kind::invalid_json);
  const auto many = [&](int n) {
    std::string out = "{";
    for (int i = 0; i < n; ++i)
      out += (i ? ",\"" : "\"") + std::to_string(i) + "\":null";
    return out + "}";
  };
  CAF_CHECK_EQUAL(accepted<changes>(decode(many(64))).size(), 64u);
  CAF_CHECK_EQUAL(param_of(decode(many(65))), "metadata");
}
