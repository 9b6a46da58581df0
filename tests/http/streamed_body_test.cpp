#define CAF_SUITE streamed_body
#include "tests/test.hpp"

#include "tests/http/uploads.hpp"

using namespace lang_agent;
using namespace lang_agent::test;
using namespace std::chrono_literals;

namespace {

std::string head(const std::string& fields) {
  return "POST /upload HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n";
}

std::string with_length(std::size_t n) {
  return head("Content-Length: " + std::to_string(n) + "\r\n");
}

const std::string chunked = head("Transfer-Encoding: chunked\r\n");
const std::string echo = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi";

std::string bytes(std::size_t n) {
  std::string out(n, ' ');
  for (std::size_t i = 0; i < n; ++i)
    out[i] = static_cast<char>('a' + i * 7 % 26 + i / 1000 % 3);
  return out;
}

std::string chunks(const std::string& body, std::size_t size) {
  std::string out;
  char length[32];
  for (std::size_t i = 0; i < body.size(); i += size) {
    const auto piece = body.substr(i, size);
    std::snprintf(length, sizeof length, "%zx\r\n", piece.size());
    out += length + piece + "\r\n";
  }
  return out + "0\r\nX-Trailer: y\r\n\r\n";
}

/// The connection still serves.
void check_usable(client& c) {
  c.write(echo);
  const auto answer = c.read();
  CAF_CHECK_EQUAL(answer.status, 200);
  CAF_CHECK_EQUAL(answer.body, "echo hi");
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(streamed_body_tests, upload_fixture)

CAF_TEST(a body comes in pieces however long it is) {
  const auto body = bytes(1'000'000);
  auto c = connect();
  for (const auto& request : {with_length(body.size()) + body, chunked + chunks(body, 100'000),
                              chunked + chunks(body, 777), with_length(1) + "x"}) {
    std::thread sender{[&] { c.write(request); }};
    const auto u = service->next_upload();
    const auto got = u->rest();
    sender.join();
    CAF_CHECK(got == (request.back() == 'x' ? "x" : body));
    u->answer("done");
    const auto answer = c.read();
    CAF_CHECK_EQUAL(answer.body, "done");
    CAF_CHECK(!answer.closes());
    CAF_CHECK_EQUAL(u->unexpected(), 0u);
    check_usable(c);
  }
}

CAF_TEST(no body is one empty piece) {
  auto c = connect();
  for (const auto& request : {head(""), with_length(0), chunked + "0\r\n\r\n"}) {
    c.write(request);
    const auto u = service->next_upload();
    CAF_CHECK(u->next() == (upload::piece{"", true}));
    u->answer("done");
    CAF_CHECK_EQUAL(c.read().body, "done");
    check_usable(c);
  }
}

CAF_TEST(a piece is what has come) {
  auto c = connect();
  c.write(with_length(6) + "ab");
  const auto u = service->next_upload();
  CAF_CHECK(u->next() == (upload::piece{"ab", false}));
  c.write("cd");
  CAF_CHECK(u->next() == (upload::piece{"cd", false}));
  c.write("ef");
  CAF_CHECK(u->next() == (upload::piece{"ef", true}));
  u->answer("done");
  CAF_CHECK_EQUAL(c.read().body, "done");
}

CAF_TEST(a client waits for a service that does not ask) {
  const auto body = bytes(32 * 1024 * 1024);
  auto c = connect();
  c.write(with_length(body.size()));
  const auto u = service->next_upload();
  const auto sent = c.write_some(body);
  CAF_CHECK_LESS(sent, body.size());
  std::thread sender{[&] { c.write(body.substr(sent)); }};
  CAF_CHECK(u->rest() == body);
  sender.join();
  u->answer("done");
  CAF_CHECK_EQUAL(c.read().body, "done");
  check_usable(c);
}

CAF_TEST(the next request may follow the body at once) {
  auto c = connect();
  c.write(chunked + chunks("abc", 2) + echo + with_length(2) + "de" + echo);
  for (const auto& body : {"abc", "de"}) {
    const auto u = service->next_upload();
    CAF_CHECK_EQUAL(u->rest(), body);
    u->answer("done");
    CAF_CHECK_EQUAL(c.read().body, "done");
    CAF_CHECK_EQUAL(c.read().body, "echo hi");
  }
}

// -- answers before the end of the body -----------------------------------------------------------

CAF_TEST(an early answer keeps the connection when little is left) {
  const auto body = bytes(40'000);
  auto c = connect();
  for (const bool asked : {false, true}) {
    c.write(with_length(body.size()) + body.substr(0, 10'000));
    const auto u = service->next_upload();
    if (asked)
      u->next();
    u->answer("early");
    const auto answer = c.read();
    CAF_CHECK_EQUAL(answer.body, "early");
    CAF_CHECK(!answer.closes());
    c.write(body.substr(10'000));
    check_usable(c);
    CAF_CHECK_EQUAL(u->unexpected(), 0u);
  }
}

CAF_TEST(an early answer reaches a client that sends a lot) {
  const auto body = bytes(3'000'000);
  for (const auto& request : {with_length(body.size()) + body, chunked + chunks(body, 10'000)}) {
    auto c = connect();
    c.write(request.substr(0, 1000));
    const auto u = service->next_upload();
    u->next();
    u->answer("early");
    c.write(request.substr(1000));
    const auto answer = c.read();
    CAF_CHECK_EQUAL(answer.body, "early");
    CAF_CHECK(answer.closes());
    CAF_CHECK(c.ends());
  }
}

CAF_TEST(an early stream keeps the connection when little is left) {
  auto c = connect();
  c.write(with_length(5) + "ab");
  const auto u = service->next_upload();
  u->next();
  u->out->begin({});
  u->out->write("12");
  u->out->read_body(); // nothing comes of it any more
  u->wait_drained(2);
  c.write("cde");
  u->out->end("3");
  const auto answer = c.read();
  CAF_CHECK(!answer.closes());
  CAF_CHECK_EQUAL(answer.body, "2\r\n12\r\n1\r\n3\r\n0\r\n\r\n");
  check_usable(c);
  CAF_CHECK_EQUAL(u->unexpected(), 0u);
}

CAF_TEST(an early stream may end before the body) {
  auto c = connect();
  c.write(with_length(5) + "ab");
  const auto u = service->next_upload();
  u->out->begin({});
  u->out->end("1");
  CAF_CHECK_EQUAL(c.read().body, "1\r\n1\r\n0\r\n\r\n");
  c.write("cde");
  check_usable(c);
}

CAF_TEST(an early stream reaches a client that sends a lot first) {
  const auto body = bytes(3'000'000);
  auto c = connect();
  c.write(chunked);
  const auto u = service->next_upload();
  u->out->begin({});
  u->out->write("12");
  c.write(chunks(body, 10'000)); // more than the buffers of the sockets hold
  u->out->end("3");
  const auto answer = c.read();
  CAF_CHECK_EQUAL(answer.body, "2\r\n12\r\n1\r\n3\r\n0\r\n\r\n");
  CAF_CHECK(answer.closes());
  CAF_CHECK(c.ends());
}

CAF_TEST(a dropped upload is answered) {
  auto c = connect();
  c.write(with_length(5) + "ab");
  auto u = service->next_upload();
  u->next();
  u->out.reset();
  CAF_CHECK_EQUAL(c.read().status, 500);
  c.write("cde");
  check_usable(c);
}

// -- clients that leave, break or wait ------------------------------------------------------------

CAF_TEST(a client that leaves is noticed) {
  enum how { asked, not_asked, half_sent_chunk, by_reset, after_the_body };
  for (const auto way : {asked, not_asked, half_sent_chunk, by_reset, after_the_body}) {
    CAF_MESSAGE(static_cast<int>(way));
    auto c = connect();
    c.write(way == half_sent_chunk ? chunked + "5\r\nab" : with_length(5) + "ab");
    auto u = service->next_upload();
    CAF_CHECK(u->next() == (upload::piece{"ab", false}));
    if (way == asked || way == by_reset)
      u->out->read_body();
    if (way == after_the_body) {
      c.write("cde");
      CAF_CHECK(u->next() == (upload::piece{"cde", true}));
    }
    way == by_reset ? c.reset() : c.close();
    u->wait_gone();
    if (way == not_asked)
      u->answer("too late"); // nobody waits for the rest of the body
    u->out->read_body();
    u->out.reset();
    wait_closed();
    CAF_CHECK_EQUAL(u->unexpected(), 1u);
  }
}

CAF_TEST(bytes that are no chunk end the upload) {
  auto c = connect();
  c.write(chunked + "2\r\nabXX\r\n");
  const auto u = service->next_upload();
  u->out->read_body();
  u->wait_gone();
  const auto answer = c.read();
  CAF_CHECK_EQUAL(answer.status, 400);
  CAF_CHECK(answer.closes());
  u->answer("too late");
  CAF_CHECK(c.ends());
}

CAF_TEST(a client is told to send its body when it is asked for) {
  const auto expecting = head("Content-Length: 2\r\nExpect: 100-continue\r\n");
  auto c = connect();
  c.write(expecting);
  auto u = service->next_upload();
  u->out->read_body();
  CAF_CHECK_EQUAL(c.read().status, 100);
  c.write("a");
  CAF_CHECK(u->next() == (upload::piece{"a", false}));
  c.write("b");
  CAF_CHECK(u->next() == (upload::piece{"b", true})); // with no second word
  u->answer("done");
  CAF_CHECK_EQUAL(c.read().body, "done");
  // Without a question there is no word, and nobody knows whether the body will come.
  c.write(expecting);
  u = service->next_upload();
  u->answer("early");
  const auto answer = c.read();
  CAF_CHECK_EQUAL(answer.body, "early");
  CAF_CHECK(answer.closes());
}

CAF_TEST(only a piece that was asked for can take too long) {
  options.body_timeout = 300ms;
  auto patient = connect();
  patient.write(with_length(4) + "ab");
  const auto first = service->next_upload();
  CAF_CHECK(first->next() == (upload::piece{"ab", false}));

  auto slow = connect();
  slow.write(with_length(4) + "ab");
  const auto second = service->next_upload();
  CAF_CHECK(second->next() == (upload::piece{"ab", false}));
  second->out->read_body();
  second->wait_gone();
  const auto answer = slow.read();
  CAF_CHECK_EQUAL(answer.status, 408);
  CAF_CHECK(answer.closes());
  CAF_CHECK(slow.ends());

  patient.write("cd");
  CAF_CHECK(first->next() == (upload::piece{"cd", true}));
  first->answer("done");
  CAF_CHECK_EQUAL(patient.read().body, "done");
  CAF_CHECK_EQUAL(first->unexpected(), 0u);
}

CAF_TEST(a server that drains lets an upload end) {
  auto c = connect();
  c.write(with_length(4) + "ab");
  const auto u = service->next_upload();
  u->next();
  server->drain();
  c.write("cd");
  CAF_CHECK(u->next() == (upload::piece{"cd", true}));
  u->answer("done");
  const auto answer = c.read();
  CAF_CHECK_EQUAL(answer.body, "done");
  CAF_CHECK(answer.closes());
  CAF_CHECK(c.ends());
  c.close();
  u->out.reset(); // it holds the connection
  wait_closed();
}

CAF_TEST(a stream has no body on HEAD) {
  auto c = connect();
  c.write("HEAD /upload HTTP/1.1\r\nHost: h\r\n\r\n");
  const auto u = service->next_upload();
  CAF_CHECK(u->next() == (upload::piece{"", true}));
  http::response x;
  x.body = "12";
  u->out->begin(std::move(x));
  u->out->write("345");
  u->wait_drained(5); // its sender need not know
  u->out->end("6");
  CAF_CHECK(c.read_head().starts_with("HTTP/1.1 200"));
  check_usable(c);
}

CAF_TEST_FIXTURE_SCOPE_END()
