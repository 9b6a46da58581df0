#define CAF_SUITE dom
#include "tests/test.hpp"

#include "http/dom.hpp"

using namespace lang_agent::http;
using outcome = dom::spanned_document::outcome;

namespace {

outcome parse(std::string_view text) {
  dom::spanned_document document;
  return document.parse(text, 16);
}

std::string problem(std::string_view text) {
  dom::spanned_document document;
  CAF_CHECK(document.parse(text, 16) == outcome::malformed);
  return document.problem();
}

/// The members as `name=text` of their values.
std::vector<std::string> members(std::string_view text) {
  dom::spanned_document document;
  CAF_REQUIRE(document.parse(text, 16) == outcome::ok);
  std::vector<std::string> out;
  for (const auto& x : document.members())
    out.push_back(std::string{dom::text(*x.name)} + "=" + std::string{x.raw});
  return out;
}

using list = std::vector<std::string>;

} // namespace

CAF_TEST(each member knows its text byte for byte) {
  CAF_CHECK_EQUAL(members(R"({"a":1,"b":"x","c":[1, 2],"d":{"e":null},"f":true,"g":-1.50e3})"),
                  (list{"a=1", "b=\"x\"", "c=[1, 2]", "d={\"e\":null}", "f=true", "g=-1.50e3"}));
  CAF_CHECK_EQUAL(members("{ \"a\" :\t12 ,\r\n \"b\"\n: \"\" }"), (list{"a=12", "b=\"\""}));
  CAF_CHECK_EQUAL(members("{}"), list{});
}

CAF_TEST(escapes move nothing) {
  CAF_CHECK_EQUAL(members(R"({"k\u0041\"\\":"\u00e9,\"}","b":"\\","c":"a:b"})"),
                  (list{R"(kA"\="\u00e9,\"}")", R"(b="\\")", R"(c="a:b")"}));
}

CAF_TEST(messages know the text of their elements) {
  dom::spanned_document document;
  const std::string text = R"({"n":[{}],"messages":[ {"a":"\n}"} , {"b":[{}]}]})";
  CAF_REQUIRE(document.parse(text, 16) == outcome::ok);
  CAF_CHECK(document.members()[0].rows.empty());
  const auto& rows = document.members()[1].rows;
  CAF_REQUIRE_EQUAL(rows.size(), 2u);
  CAF_CHECK_EQUAL(rows[0], R"({"a":"\n}"})");
  CAF_CHECK_EQUAL(rows[1], R"({"b":[{}]})");
}

CAF_TEST(control characters and bad UTF - 8 are refused wherever they stand) {
  for (const char c : {'\x01', '\n', '\x19', '\x1a', '\x1f'})
    for (int before = 0; before < 40; ++before)
      CAF_CHECK(parse("{\"a\":\"" + std::string(before, 'x') + c + "\"}") == outcome::malformed);
  for (const char* bad : {"\x80", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xff"})
    for (int before = 0; before < 20; ++before)
      CAF_CHECK(parse("{\"a\":\"" + std::string(before, 'x') + bad + "\"}") == outcome::malformed);
  CAF_CHECK(parse("{\"a\":\"\xc3\xa9 \xe4\xb8\xad \xf0\x9f\x98\x80 abcdefgh\"}") == outcome::ok);
}

CAF_TEST(problems say where) {
  CAF_CHECK_EQUAL(problem("{\"a\":\"xxxxxxxxxxxxx\xff\"}"),
                  "Invalid encoding in string. (offset 19)");
  CAF_CHECK(problem(R"({"a":"\udc00"})").starts_with("A surrogate has no other half."));
  CAF_CHECK_EQUAL(problem(std::string_view{"{\"a\":\0}", 7}), "NUL byte at offset 5");
}
