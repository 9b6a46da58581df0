#define CAF_SUITE upstream_request
#include "tests/test.hpp"

#include "http/upstream_request.hpp"

using namespace lang_agent;

namespace {

http::upstream_options options(bool tls = true) {
  http::upstream_options out;
  out.url = {tls, "a.example", 8080, "a.example:8080", "/v1"};
  return out;
}

std::string head(const http::upstream_options& x, std::size_t key = 0) {
  return http::upstream_head(x, "POST", "/chat", key);
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace

CAF_TEST(a head names target and host) {
  CAF_CHECK_EQUAL(head(options()), "POST /v1/chat HTTP/1.1\r\nhost: a.example:8080\r\n"
                                   "user-agent: lang-agent\r\n");
}

CAF_TEST(a head has the key that was chosen) {
  auto x = options();
  x.api_keys = {"one", "two"};
  CAF_CHECK(has(head(x, 0), "\r\nauthorization: Bearer one\r\n"));
  CAF_CHECK(has(head(x, 1), "\r\nauthorization: Bearer two\r\n"));
}

CAF_TEST(headers of the config go along and replace ours) {
  auto x = options();
  x.headers = {{"x-a", "1"}, {"user-agent", "mine"}};
  CAF_CHECK(has(head(x), "\r\nx-a: 1\r\nuser-agent: mine\r\n"));
  CAF_CHECK(!has(head(x), "lang-agent"));
}

CAF_TEST(only a proxy for plain HTTP sees the whole URL and its credentials) {
  auto x = options(false);
  x.proxy = proxy_address{"p", 1, "u:p"};
  CAF_CHECK(has(head(x), "POST http://a.example:8080/v1/chat HTTP/1.1\r\nhost: a.example:8080\r\n"
                         "proxy-authorization: Basic dTpw\r\n"));
  x.url.tls = true;
  CAF_CHECK(has(head(x), "POST /v1/chat HTTP/1.1\r\n"));
  CAF_CHECK(!has(head(x), "proxy-authorization"));
}

CAF_TEST(the model of the config comes before its map and that before the request) {
  auto x = options();
  CAF_CHECK_EQUAL(http::upstream_model(x, "a"), "a");
  x.model_map = {{"a", "mapped"}};
  CAF_CHECK_EQUAL(http::upstream_model(x, "a"), "mapped");
  CAF_CHECK_EQUAL(http::upstream_model(x, "b"), "b");
  x.model = "fixed";
  CAF_CHECK_EQUAL(http::upstream_model(x, "a"), "fixed");
}
