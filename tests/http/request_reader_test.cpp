#define CAF_SUITE request_reader
#include "tests/test.hpp"

#include "http/request_reader.hpp"

using namespace lang_agent;

namespace {

constexpr std::size_t max_header = 400;
constexpr std::size_t max_body = 20;

using outcome = http::request_reader::outcome;

std::string post(const std::string& fields, const std::string& body) {
  return "POST /v1 HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n" + body;
}

/// The pieces of a body that is streamed, in order, read from a buffer of any size.
std::string streamed(const std::string& bytes, std::size_t max_piece, std::size_t step) {
  http::request_reader reader{max_header, max_body};
  reader.begin();
  std::string body;
  std::size_t fed = 0;
  const auto feed = [&] {
    const auto n = std::min(step, bytes.size() - fed);
    CAF_REQUIRE(n > 0);
    reader.append(bytes.data() + fed, n);
    fed += n;
  };
  while (reader.read_head() == outcome::incomplete)
    feed();
  reader.stream_body(max_piece);
  while (!reader.is_done()) {
    const auto got = reader.read_piece();
    if (got == outcome::malformed)
      return body + "!";
    if (got == outcome::incomplete) {
      feed();
      continue;
    }
    const auto piece = reader.take_body();
    CAF_CHECK_LESS_OR_EQUAL(piece.size(), max_piece);
    CAF_CHECK(!piece.empty() || reader.is_done());
    body += piece;
  }
  CAF_CHECK_EQUAL(reader.buffered(), fed - std::min(fed, bytes.rfind("NEXT")));
  return body;
}

} // namespace

CAF_TEST(a streamed body comes in bounded pieces whatever its size) {
  const std::string text = "0123456789abcdefghijklmnopqrstuvwxyz"; // more than max_body
  const auto length = post("Content-Length: 36\r\n", text + "NEXT");
  const auto chunks = post("Transfer-Encoding: chunked\r\n",
                           "14\r\n0123456789abcdefghij\r\n10;x=y\r\nklmnopqrstuvwxyz\r\n0\r\n"
                           "X: y\r\n\r\nNEXT");
  for (const std::size_t max_piece : {1, 5, 20, 36, 100})
    for (const std::size_t step : {1, 3, 17, 1000}) {
      CAF_MESSAGE("pieces of " << max_piece << ", bytes come in steps of " << step);
      CAF_CHECK_EQUAL(streamed(length, max_piece, step), text);
      CAF_CHECK_EQUAL(streamed(chunks, max_piece, step), text);
    }
  CAF_CHECK_EQUAL(streamed(post("", "NEXT"), 5, 1000), "");
  const auto broken = post("Transfer-Encoding: chunked\r\n", "2\r\nabXX\r\n");
  for (const std::size_t step : {1, 1000})
    CAF_CHECK_EQUAL(streamed(broken, 2, step), "ab!");
}

CAF_TEST(what is left of a body is known while it has a length) {
  http::request_reader reader{max_header, max_body};
  const auto bytes = post("Content-Length: 10\r\n", "0123");
  reader.begin();
  CAF_CHECK(!reader.rest_is_within(1000));
  reader.append(bytes.data(), bytes.size());
  reader.read_head();
  CAF_CHECK(reader.rest_is_within(10));
  CAF_CHECK(!reader.rest_is_within(9));
  reader.stream_body(100);
  reader.read_piece();
  CAF_CHECK(reader.rest_is_within(6));
  CAF_CHECK(!reader.rest_is_within(5));
}
