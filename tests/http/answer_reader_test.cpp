#define CAF_SUITE answer_reader
#include "tests/test.hpp"

#include "http/answer_reader.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>

using namespace lang_agent;

namespace {

const http::redaction no_secrets;

struct reader {
  explicit reader(bool stream = true) : aut({stream, 1, 0, 10'000}, no_secrets) {}

  http::answer_reader aut;
  boost::beast::flat_buffer input;
  std::vector<choice_delta> deltas;

  void feed(const std::string& bytes) {
    input.commit(boost::asio::buffer_copy(input.prepare(bytes.size()), boost::asio::buffer(bytes)));
    if (const auto bad = aut.feed(input, deltas))
      CAF_FAIL(bytes << " is refused: " << bad->why.message);
  }

  void head(const std::string& type = "text/event-stream") {
    feed("HTTP/1.1 200 OK\r\ncontent-type: " + type + "\r\n\r\n");
  }

  void event(const std::string& delta) {
    feed(R"(data: {"choices":[{"index":0,"delta":)" + delta + "}]}\n\n");
  }

  /// What the end of the connection means; `internal` if it is the end of an answer.
  error_kind cut(const boost::system::error_code& ec = boost::asio::error::eof) {
    const auto outcome = aut.finish_cut(ec, deltas);
    const auto* bad = std::get_if<http::upstream_fault>(&outcome);
    return bad ? bad->why.kind : error_kind::internal;
  }
};

const std::string opening = R"({"role":"assistant","content":""})";

} // namespace

CAF_TEST(only deltas are progress of a stream) {
  reader x;
  x.head();
  x.feed(": still here\n\n");
  x.feed("\n\ndata: {}\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n");
  x.event(opening);
  CAF_CHECK_EQUAL(x.aut.progress(), 0u);
  x.event(R"({"content":"a"})");
  x.event(R"({"reasoning_content":"b"})");
  CAF_CHECK_EQUAL(x.aut.progress(), 2u);
  x.event(R"({"content":""})");
  CAF_CHECK_EQUAL(x.aut.progress(), 2u);
}

CAF_TEST(each piece of a body that is no stream is progress) {
  for (const bool stream : {false, true}) {
    reader x{stream};
    x.head("application/json");
    CAF_CHECK_EQUAL(x.aut.progress(), 0u);
    x.feed(" ");
    x.feed("{");
    CAF_CHECK_EQUAL(x.aut.progress(), 2u);
  }
}

CAF_TEST(an interim answer is no beginning) {
  reader x{false};
  x.feed("HTTP/1.1 100 Continue\r\n\r\n");
  x.feed("HTTP/1.1 103 Early Hints\r\nx: y");
  x.feed("\r\n\r\nHTTP/1.1 ");
  CAF_CHECK(!x.aut.has_begun());
  x.feed("2");
  CAF_CHECK(x.aut.has_begun());
}

CAF_TEST(a server that waited for too long says so and closes) {
  const std::pair<const char*, bool> table[] = {
      {"HTTP/1.1 408 X\r\nconnection: close\r\n\r\n", true},
      {"HTTP/1.1 408 X\r\ncontent-length: 5\r\n\r\n", false},
      {"HTTP/1.1 400 X\r\nconnection: close\r\n\r\n", false},
      {"HTTP/1.1 408 X\r\nconnection: close\r\n", false},
  };
  for (const auto& [bytes, expected] : table) {
    reader x;
    x.feed(bytes);
    CAF_CHECK_EQUAL(x.aut.gave_up_waiting(), expected);
  }
}

CAF_TEST(an answer above its limit is too long in every form) {
  const auto kind = [](reader& x, const std::string& bytes) {
    x.input.commit(
        boost::asio::buffer_copy(x.input.prepare(bytes.size()), boost::asio::buffer(bytes)));
    const auto bad = x.aut.feed(x.input, x.deltas);
    return bad ? bad->why.kind : error_kind::internal;
  };
  reader event;
  event.head();
  CAF_CHECK(kind(event, "data: " + std::string(10'001, 'x'))
            == error_kind::upstream_answer_too_long);
  reader whole{false};
  whole.head("application/json");
  CAF_CHECK(kind(whole, std::string(10'001, ' ')) == error_kind::upstream_answer_too_long);
}

CAF_TEST(a cut before the first delta delivers none) {
  for (const boost::system::error_code ec : {boost::system::error_code{boost::asio::error::eof},
                                             {boost::asio::error::connection_reset}}) {
    reader x;
    x.head();
    x.event(opening);
    CAF_CHECK(x.cut(ec) == error_kind::upstream_cut);
    CAF_CHECK(x.deltas.empty());
  }
}

CAF_TEST(an error inside a stream before the first delta delivers none) {
  reader x;
  x.head();
  x.event(opening);
  const std::string bytes = "data: {\"error\":{\"message\":\"out of tea\"}}\n\n";
  x.input.commit(
      boost::asio::buffer_copy(x.input.prepare(bytes.size()), boost::asio::buffer(bytes)));
  const auto bad = x.aut.feed(x.input, x.deltas);
  CAF_REQUIRE(bad);
  CAF_CHECK(bad->why.kind == error_kind::upstream_error);
  CAF_CHECK(x.deltas.empty());
}

CAF_TEST(a stream without finish reason and end is cut) {
  reader x;
  x.head();
  x.event(R"({"content":"a"})");
  CAF_CHECK(x.cut() == error_kind::upstream_cut);
}

CAF_TEST(a stream that ends after its finish reason or its end is complete) {
  reader x;
  x.head();
  x.feed("data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\n");
  CAF_CHECK(x.cut() == error_kind::internal);
  reader y;
  y.head();
  y.event(R"({"content":"a"})");
  y.feed("data: [DONE]\n\n");
  CAF_CHECK(y.cut(boost::asio::error::connection_reset) == error_kind::internal);
}
