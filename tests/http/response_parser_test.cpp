#define CAF_SUITE response_parser
#include "tests/test.hpp"

#include "http/response_parser.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>

using namespace lang_agent;

namespace {

struct outcome {
  bool broken = false;
  bool done = false;
  int status = 0;
  std::string body;
  std::string retry_after;
  bool event_stream = false;
  bool json = false;
  bool keep_alive = false;
};

/// Reads one response in pieces; the connection closes after its bytes.
outcome read(std::string_view bytes, std::size_t piece) {
  outcome out;
  http::response_parser parser{[&](std::string_view x) { out.body += x; }};
  std::string buffer;
  boost::beast::error_code ec;
  while (!parser.is_done() && !ec) {
    if (bytes.empty()) {
      if (parser.got_some())
        parser.put_eof(ec);
      else
        ec = boost::beast::http::error::end_of_stream;
      break;
    }
    buffer += bytes.substr(0, piece);
    bytes.remove_prefix(std::min(piece, bytes.size()));
    buffer.erase(0, parser.put(boost::asio::buffer(buffer), ec));
    if (ec == boost::beast::http::error::need_more)
      ec = {};
  }
  out.broken = static_cast<bool>(ec);
  out.done = parser.is_done();
  out.status = parser.status();
  out.retry_after = parser.retry_after();
  out.event_stream = parser.is_event_stream();
  out.json = parser.is_json();
  out.keep_alive = parser.is_header_done() && parser.keep_alive();
  return out;
}

std::string ok(const std::string& fields, const std::string& body = "") {
  return "HTTP/1.1 200 OK\r\n" + fields + "\r\n" + body;
}

} // namespace

CAF_TEST(bodies are read whatever tells their end) {
  struct row {
    const char* what;
    std::string bytes;
    const char* body;
    bool keep_alive;
  };
  const row table[] = {
      {"a length", ok("Content-Length: 3\r\n", "abc"), "abc", true},
      {"length zero", ok("Content-Length: 0\r\n"), "", true},
      {"chunks", ok("Transfer-Encoding: chunked\r\n", "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"), "abc",
       true},
      {"the end of the connection", ok("", "abc"), "abc", false},
      {"a connection that is closed", ok("Connection: close\r\nContent-Length: 1\r\n", "a"), "a",
       false},
      {"no content", "HTTP/1.1 204 No Content\r\n\r\n", "", true},
      {"no reason phrase", "HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\na", "a", true},
      {"HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nabc", "abc", false},
  };
  for (const auto& x : table)
    for (const std::size_t piece : {x.bytes.size(), std::size_t{1}, std::size_t{5}}) {
      CAF_MESSAGE(x.what << ", in pieces of " << piece);
      const auto result = read(x.bytes, piece);
      CAF_CHECK(!result.broken);
      CAF_CHECK(result.done);
      CAF_CHECK_EQUAL(result.body, x.body);
      CAF_CHECK_EQUAL(result.keep_alive, x.keep_alive);
    }
}

CAF_TEST(broken responses are seen to be broken) {
  const std::string table[] = {
      "", // closed at once
      "HTTP/1.1 200",
      ok("Content-Length: 3\r\n", "ab"),
      ok("Transfer-Encoding: chunked\r\n", "1\r\na\r\n"),
      ok("Transfer-Encoding: chunked\r\n", "1\r\nab\r\n0\r\n\r\n"),
      ok("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "abc"),
      ok("Content-Length: 1\r\nContent-Length: 2\r\n", "ab"),
      ok("x: " + std::string(70 * 1024, 'y') + "\r\n"),
      "HTTP/2 200 OK\r\n\r\n",
      "<html>\r\n\r\n",
      "SSH-2.0-OpenSSH_9.2\r\n",
  };
  for (const auto& bytes : table)
    for (const std::size_t piece : {bytes.size() + 1, std::size_t{1}}) {
      CAF_MESSAGE(bytes.substr(0, 60));
      CAF_CHECK(read(bytes, piece).broken);
    }
}

CAF_TEST(media types are compared as they must be) {
  struct row {
    const char* type;
    bool event_stream, json;
  };
  const row table[] = {
      {"Content-Type: text/event-stream\r\n", true, false},
      {"content-type: Text/Event-Stream;charset=utf-8\r\n", true, false},
      {"Content-Type: application/json ; charset=utf-8\r\n", false, true},
      {"Content-Type: application/jsonl\r\n", false, false},
      {"Content-Type: text/html\r\n", false, false},
      {"", false, true},
  };
  for (const auto& x : table) {
    const auto result = read(ok(std::string{x.type} + "Content-Length: 0\r\n"), 1000);
    CAF_CHECK_EQUAL(result.event_stream, x.event_stream);
    CAF_CHECK_EQUAL(result.json, x.json);
  }
}

CAF_TEST(status and retry time are known) {
  const auto x =
      read("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", 1000);
  CAF_CHECK_EQUAL(x.status, 429);
  CAF_CHECK_EQUAL(x.retry_after, "7");
}

CAF_TEST(retry times are whole seconds) {
  const auto retry_after = [](const std::string& fields) {
    return read(ok(fields + "Content-Length: 0\r\n"), 1000).retry_after;
  };
  CAF_CHECK_EQUAL(retry_after("Retry-After-Ms: 1500\r\nRetry-After: 9\r\n"), "2");
  CAF_CHECK_EQUAL(retry_after("Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n"), "0");
  CAF_CHECK_EQUAL(retry_after("Retry-After: soon\r\n"), "");
  CAF_CHECK_EQUAL(retry_after(""), "");
}

CAF_TEST(an interim response is not the answer) {
  const auto is_interim = [](int status) {
    http::response_parser parser{[](std::string_view) {}};
    const auto bytes = "HTTP/1.1 " + std::to_string(status) + " x\r\nContent-Length: 0\r\n\r\n";
    boost::beast::error_code ec;
    parser.put(boost::asio::buffer(bytes), ec);
    CAF_CHECK(!ec);
    return parser.is_interim();
  };
  CAF_CHECK(is_interim(100));
  CAF_CHECK(is_interim(103));
  CAF_CHECK(!is_interim(200));
  CAF_CHECK(!is_interim(503));
}
