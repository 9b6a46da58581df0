#define CAF_SUITE http_silence
#include "tests/http/uploads.hpp"

using namespace lang_agent;
using namespace lang_agent::test;
using namespace std::chrono_literals;

namespace {

const std::string post = "POST /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi";

struct silence_fixture : upload_fixture {
  silence_fixture() {
    service->silence = 100ms;
  }

  /// A request that has been read and waits for its answer.
  std::shared_ptr<upload> next() {
    auto out = service->next_upload();
    CAF_CHECK_EQUAL(out->rest(), "hi");
    return out;
  }
};

/// Begins an answer whose body starts with `text`.
void begin(upload& x, const std::string& text) {
  http::response head;
  head.body = text;
  x.out->begin(std::move(head));
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(silence_tests, silence_fixture)

CAF_TEST(silence is told again and again until there is an answer) {
  auto peer = connect();
  peer.write(post);
  const auto x = next();
  x->wait_silences(2);
  begin(*x, " ");
  x->wait_silences(2);
  x->out->write(" ");
  x->wait_silences(1);
  x->out->end("{}");
  const auto answer = peer.read();
  CAF_CHECK_EQUAL(answer.status, 200);
  CAF_CHECK_EQUAL(answer.body, "1\r\n \r\n1\r\n \r\n2\r\n{}\r\n0\r\n\r\n");
}

CAF_TEST(silence is not told while an answer is talking) {
  auto peer = connect();
  peer.write(post);
  const auto x = next();
  begin(*x, "x");
  const auto end = std::chrono::steady_clock::now() + 500ms;
  while (std::chrono::steady_clock::now() < end) {
    x->out->write("x");
    std::this_thread::sleep_for(5ms);
  }
  // A machine that stalls for as long is allowed one.
  CAF_CHECK_LESS_OR_EQUAL(x->silences(), 1u);
  x->out->end("x");
  peer.read();
}

CAF_TEST(nobody hears of silence who did not ask) {
  service->silence = 0ms;
  auto peer = connect();
  peer.write(post);
  const auto x = next();
  std::this_thread::sleep_for(300ms);
  begin(*x, "x");
  std::this_thread::sleep_for(300ms);
  CAF_CHECK_EQUAL(x->silences(), 0u);
  x->out->end({});
}

CAF_TEST(silence ends with the answer) {
  auto peer = connect();
  peer.write(post);
  const auto x = next();
  x->wait_silences(1);
  x->answer("done");
  CAF_CHECK_EQUAL(peer.read().body, "done");
  const auto before = x->silences();
  std::this_thread::sleep_for(300ms);
  CAF_CHECK_EQUAL(x->silences(), before);
  // The connection is as good as ever.
  peer.write(post);
  next()->answer("again");
  CAF_CHECK_EQUAL(peer.read().body, "again");
}

CAF_TEST(a pipelined request waits for the end of a begun answer) {
  auto peer = connect();
  peer.write(post + post);
  const auto first = next();
  begin(*first, " ");
  first->wait_silences(2);
  first->out->write(" ");
  first->out->end("1");
  const auto second = next();
  second->wait_silences(1);
  begin(*second, " ");
  second->out->end("2");
  CAF_CHECK_EQUAL(peer.read().body, "1\r\n \r\n1\r\n \r\n1\r\n1\r\n0\r\n\r\n");
  CAF_CHECK_EQUAL(peer.read().body, "1\r\n \r\n1\r\n2\r\n0\r\n\r\n");
}

CAF_TEST(an old client gets an answer without chunks) {
  auto peer = connect();
  peer.write("POST /upload HTTP/1.0\r\ncontent-length: 2\r\n\r\nhi");
  const auto x = next();
  x->wait_silences(1);
  begin(*x, " ");
  x->wait_silences(1);
  x->out->end("{}");
  CAF_CHECK(peer.read_head().find("chunked") == std::string::npos);
  CAF_CHECK_EQUAL(peer.read_bytes(3), " {}");
  CAF_CHECK(peer.ends());
}

CAF_TEST(a client that takes nothing is cut off all the same) {
  options.write_timeout = 500ms;
  auto peer = connect();
  peer.write(post);
  const auto x = next();
  begin(*x, std::string(64 * 1024 * 1024, 'x'));
  std::this_thread::sleep_for(200ms); // to begin with, it was silent
  const auto before = x->silences();
  x->wait_gone();
  CAF_CHECK_EQUAL(x->silences(), before);
  x->out.reset();
  wait_closed();
}

CAF_TEST(a client that leaves in silence is noticed) {
  auto peer = connect();
  peer.write(post);
  const auto x = next();
  x->wait_silences(1);
  peer.close();
  x->wait_gone();
  const auto before = x->silences();
  std::this_thread::sleep_for(300ms);
  CAF_CHECK_EQUAL(x->silences(), before);
  x->out.reset();
  wait_closed();
}

CAF_TEST_FIXTURE_SCOPE_END()
