#define CAF_SUITE response
#include "tests/test.hpp"

#include "http/response.hpp"
#include "http/thread_header.hpp"
#include "tests/http/json_tools.hpp"

#include <algorithm>
#include <regex>

using namespace lang_agent;
using namespace lang_agent::test;
using http::framing;

namespace {

http::request_head asked(bool is_http_1_1 = true) {
  http::request_head out;
  out.request_id = "req-1";
  out.is_http_1_1 = is_http_1_1;
  out.received = std::chrono::steady_clock::now();
  return out;
}

bool has_line(const std::string& head, const std::string& line) {
  return head.find("\r\n" + line + "\r\n") != std::string::npos;
}

bool has_field(const std::string& head, const std::string& name) {
  return head.find("\r\n" + name + ": ") != std::string::npos;
}

} // namespace

CAF_TEST(a head has what every response carries) {
  http::response x;
  x.body = "12345";
  http::add_header(x, "x-thread-id", "7");
  const auto head = http::render_head(x, asked(), framing::length, true);
  CAF_CHECK_EQUAL(head.substr(0, 17), "HTTP/1.1 200 OK\r\n");
  CAF_CHECK_EQUAL(head.substr(head.size() - 4), "\r\n\r\n");
  CAF_CHECK_EQUAL(head.find("\r\n\r\n"), head.size() - 4);
  for (const auto* line : {"x-request-id: req-1", "content-type: application/json",
                           "content-length: 5", "x-thread-id: 7", "access-control-allow-origin: *"})
    CAF_CHECK(has_line(head, line));
  CAF_CHECK(std::regex_search(head, std::regex{"\r\nopenai-processing-ms: [0-9]+\r\n"}));
  CAF_CHECK(std::regex_search(head, std::regex{"\r\ndate: (Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} "
                                               "[A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT\r\n"}));
}

CAF_TEST(the end of a body is told in one way) {
  struct row {
    framing body;
    int status;
    bool length, chunked;
  };
  const row table[] = {{framing::length, 200, true, false},
                       {framing::chunked, 200, false, true},
                       {framing::until_close, 200, false, false},
                       {framing::length, 204, false, false}};
  for (const auto& x : table) {
    http::response out;
    out.status = x.status;
    const auto head = http::render_head(out, asked(), x.body, true);
    CAF_CHECK_EQUAL(has_field(head, "content-length"), x.length);
    CAF_CHECK_EQUAL(has_field(head, "transfer-encoding"), x.chunked);
    CAF_CHECK_EQUAL(has_field(head, "content-type"), x.status != 204);
  }
}

CAF_TEST(what is not the default of the version is said of the connection) {
  const auto head = [](bool is_http_1_1, bool keep_alive) {
    return http::render_head({}, asked(is_http_1_1), framing::length, keep_alive);
  };
  CAF_CHECK(!has_field(head(true, true), "connection"));
  CAF_CHECK(has_line(head(true, false), "connection: close"));
  CAF_CHECK(has_line(head(false, true), "connection: keep-alive"));
  CAF_CHECK(has_line(head(false, false), "connection: close"));
}

CAF_TEST(no value can add a header) {
  http::response x;
  http::add_header(x, "x-thread-id",
                   std::string_view{"a\r\nset-cookie: b\n\0\t\x7f"
                                    "c",
                                    21});
  CAF_CHECK_EQUAL(std::count(x.headers.begin(), x.headers.end(), '\n'), 1);
  CAF_CHECK_EQUAL(x.headers, "x-thread-id: a  set-cookie: b    c\r\n");
  failure why{error_kind::upstream_rejected, "slow down"};
  why.retry_after = "1\r\nx: y";
  CAF_CHECK_EQUAL(http::error_response(why).headers, "retry-after: 1  x: y\r\n");
}

CAF_TEST(every error kind has a reason phrase) {
  for (int i = 0; i <= static_cast<int>(error_kind::upstream_cut); ++i) {
    const auto x = http::error_response({static_cast<error_kind>(i), "m"});
    const auto head = http::render_head(x, asked(), framing::length, true);
    CAF_CHECK(std::regex_search(head, std::regex{"^HTTP/1.1 [45][0-9]{2} [A-Z]"}));
    CAF_CHECK(head.find(" Status\r\n") == std::string::npos);
    CAF_CHECK_EQUAL(at(x.body, "error/message"), R"("m")");
  }
}

CAF_TEST(errors carry the headers that clients obey) {
  CAF_CHECK_EQUAL(http::error_response({error_kind::invalid_request, "m"}).headers, "");
  CAF_CHECK_EQUAL(http::error_response({error_kind::invalid_api_key, "m"}).headers,
                  "www-authenticate: Bearer\r\n");
  failure why{error_kind::upstream_rejected, "m"};
  why.status = 429;
  why.retry_after = "7";
  const auto x = http::error_response(why);
  CAF_CHECK_EQUAL(x.status, 429);
  CAF_CHECK_EQUAL(x.headers, "retry-after: 7\r\n");
}

CAF_TEST(clients are told not to repeat what cannot get better) {
  const auto is_final = [](error_kind kind) {
    const auto x = http::error_response({kind, "m"});
    return x.headers.find("x-should-retry: false\r\n") != std::string::npos;
  };
  for (const auto kind : {error_kind::thread_exists, error_kind::thread_changed,
                          error_kind::idempotency_key_conflict})
    CAF_CHECK(is_final(kind));
  for (const auto kind : {error_kind::thread_busy, error_kind::storage_unavailable,
                          error_kind::invalid_request, error_kind::upstream_error})
    CAF_CHECK(!is_final(kind));
}

CAF_TEST(a thread id fits into a header and back) {
  const std::pair<const char*, const char*> table[] = {
      {"", ""},         {"42", "42"},           {"-7", "-7"},           {"a b~!", "a b~!"},
      {"50%", "50%25"}, {"é", "%C3%A9"},        {"a\r\nb", "a%0D%0Ab"}, {"\x7f", "%7F"},
      {" ", "%20"},     {" a b ", "%20a b%20"}, // blanks at the ends would be lost
  };
  for (const auto& [thread, header] : table)
    CAF_CHECK_EQUAL(http::thread_header(thread), header);
}
