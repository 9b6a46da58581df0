#define CAF_SUITE json
#include "tests/test.hpp"

#include "http/documents.hpp"
#include "http/json.hpp"
#include "tests/http/json_tools.hpp"

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

std::string in_quotes(std::string_view text) {
  std::string out;
  http::append_json_string(out, text);
  return out;
}

} // namespace

CAF_TEST(strings are escaped where JSON wants it) {
  const std::pair<std::string, std::string> table[] = {
      {"", R"("")"},
      {"plain 中😀/", R"("plain 中😀/")"},
      {R"(a"b\c)", R"("a\"b\\c")"},
      {"\n\r\t", R"("\n\r\t")"},
      {std::string{"\0\x01\b\x1f", 4}, R"("\u0000\u0001\u0008\u001f")"},
      {"\x7f", "\"\x7f\""},
      {"\n", R"("\n")"},
      {"\"\"", R"("\"\"")"},
  };
  for (const auto& [text, json] : table)
    CAF_CHECK_EQUAL(in_quotes(text), json);
}

CAF_TEST(strings are appended) {
  std::string out = "[";
  http::append_json_string(out, "a");
  CAF_CHECK_EQUAL(out, R"(["a")");
}

CAF_TEST(random strings come back from a parser) {
  std::mt19937 random{5};
  for (int i = 0; i < 5'000; ++i) {
    const auto text = random_text(random, 40);
    CAF_REQUIRE_EQUAL(std::string{http::dom::text(parsed(in_quotes(text)))}, text);
  }
}

CAF_TEST(an error has four members) {
  CAF_CHECK_EQUAL(
      http::encode_error({error_kind::invalid_request, "a \"b\"", "x.y"}),
      R"({"error":{"message":"a \"b\"","type":"invalid_request_error","param":"x.y","code":null}})");
  CAF_CHECK_EQUAL(
      http::encode_error({error_kind::internal, ""}),
      R"({"error":{"message":"","type":"server_error","param":null,"code":"internal_error"}})");
  failure own{error_kind::upstream_rejected, "m"};
  own.type = "t";
  own.code = "c";
  CAF_CHECK_EQUAL(http::encode_error(own),
                  R"({"error":{"message":"m","type":"t","param":null,"code":"c"}})");
}

CAF_TEST(an error is valid JSON whatever it quotes) {
  // Request targets may hold any byte, and they are named in the message of a 404.
  const std::pair<const char*, const char*> table[] = {
      {"/\xff", "\"/\ufffd\""},
      {"\xe4\xb8", "\"\ufffd\""},
      {"\xed\xb0\x80", nullptr},
      {"\xc0\xaf"
       "a",
       nullptr},
      {"中\x80", "\"中\ufffd\""},
  };
  for (const auto& [text, message] : table) {
    const auto json = http::encode_error({error_kind::unknown_url, text, text});
    const auto shown = at(json, "error/message");
    CAF_CHECK(shown.find("\ufffd") != std::string::npos);
    CAF_CHECK(!message || shown == message);
  }
  std::mt19937 random{3};
  for (int i = 0; i < 2'000; ++i) {
    std::string bytes(random() % 12, 'x');
    for (auto& c : bytes)
      c = static_cast<char>(random());
    parsed(http::encode_error({error_kind::unknown_url, bytes, bytes}));
  }
}

CAF_TEST(tokens are estimated from characters) {
  const std::pair<const char*, unsigned> table[] = {
      {"", 0}, {"a", 1}, {"abcd", 1}, {"abcde", 2}, {"中", 1}, {"中文é", 3}, {"ab中", 2}, {"😀", 1}};
  for (const auto& [text, tokens] : table)
    CAF_CHECK_EQUAL(http::estimate_tokens(text), tokens);
}

CAF_TEST(models are listed as OpenAI lists them) {
  const auto one = http::model_document("a\"b", 7);
  CAF_CHECK_EQUAL(one, R"({"id":"a\"b","object":"model","created":7,"owned_by":"lang-agent"})");
  CAF_CHECK_EQUAL(http::models_document({}, 7), R"({"object":"list","data":[]})");
  CAF_CHECK_EQUAL(http::models_document({"a\"b", "a\"b"}, 7),
                  R"({"object":"list","data":[)" + one + "," + one + "]}");
}

CAF_TEST(the other documents are JSON) {
  CAF_CHECK_EQUAL(at(http::health_document(true), "status"), R"("healthy")");
  CAF_CHECK_EQUAL(at(http::health_document(false), "status"), R"("shutting_down")");
  CAF_CHECK_EQUAL(at(http::info_document(), "message"), R"("Lang Agent Chat API")");
}
