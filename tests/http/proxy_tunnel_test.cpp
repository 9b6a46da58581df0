#define CAF_SUITE proxy_tunnel
#include "tests/test.hpp"

#include "http/proxy_tunnel.hpp"

#include <boost/asio/buffer.hpp>

using namespace lang_agent;

namespace {

base_url target(const std::string& host) {
  return {true, host, 8443, "unused", "/v1"};
}

/// What a proxy's bytes mean when they come in such pieces; "more" if they are not all.
std::string verdict(const std::string& bytes, std::size_t piece) {
  http::connect_answer aut;
  boost::beast::flat_buffer input;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const auto part = bytes.substr(at, piece);
    input.commit(boost::asio::buffer_copy(input.prepare(part.size()), boost::asio::buffer(part)));
    if (const auto out = aut.feed(input))
      return *out;
  }
  return "more";
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace

CAF_TEST(a proxy is asked for a host and a port) {
  CAF_CHECK_EQUAL(http::connect_request(target("a.example"), {"p", 1}),
                  "CONNECT a.example:8443 HTTP/1.1\r\nhost: a.example:8443\r\n\r\n");
  CAF_CHECK_EQUAL(http::connect_request(target("::1"), {"p", 1, "Aladdin:open sesame"}),
                  "CONNECT [::1]:8443 HTTP/1.1\r\nhost: [::1]:8443\r\n"
                  "proxy-authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n");
}

CAF_TEST(a success has no body whatever its head says) {
  for (const auto* head : {"HTTP/1.1 200 Connection established\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\n",
                           "HTTP/1.1 204 X\r\nContent-Length: 5\r\n\r\n",
                           "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n",
                           "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 X\r\n\r\n"})
    for (const std::size_t piece : {1, 7, 1000})
      CAF_CHECK_EQUAL(head + verdict(head, piece), head);
}

CAF_TEST(a refusal is told) {
  CAF_CHECK(has(verdict("HTTP/1.1 502 Bad\r\nContent-Length: 9\r\n\r\n", 1000), "HTTP 502"));
  CAF_CHECK(has(verdict("HTTP/1.1 302 Found\r\n\r\n", 1), "HTTP 302"));
  CAF_CHECK(has(verdict("HTTP/1.1 407 X\r\n\r\n<html>", 1000), "credentials"));
}

CAF_TEST(bytes between the proxy and TLS are refused) {
  CAF_CHECK(has(verdict("HTTP/1.1 200 X\r\n\r\nx", 1000), "bytes of its own"));
}

CAF_TEST(what is no answer is refused) {
  CAF_CHECK(has(verdict("SSH-2.0-OpenSSH_9.2\r\n\r\n", 1000), "no HTTP"));
  CAF_CHECK(has(verdict("HTTP/1.1 200 X\r\nx: " + std::string(20'000, 'y'), 4096), "no HTTP"));
  CAF_CHECK_EQUAL(verdict("HTTP/1.1 200 X\r\n", 1000), "more");
}
