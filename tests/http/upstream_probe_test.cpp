#define CAF_SUITE upstream_probe
#include "tests/test.hpp"

#include "http/builtin_upstream.hpp"
#include "http/upstream.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

using namespace lang_agent;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

struct fixture {
  asio::io_context io;
  tcp::acceptor acceptor{io, {asio::ip::address_v4::loopback(), 0}};
  tcp::socket socket{io};
  std::string request;
  int calls = 0;
  bool healthy = false;

  /// The next connection gets this answer and stays open.
  void answer(const std::string& bytes) {
    socket = tcp::socket{io};
    request.clear();
    acceptor.async_accept(socket, [this, bytes](const auto& ec) {
      if (ec)
        return;
      asio::async_read_until(socket, asio::dynamic_buffer(request), "\r\n\r\n",
                             [this, bytes](const auto&, auto) {
                               boost::system::error_code ignored;
                               asio::write(socket, asio::buffer(bytes), ignored);
                               if (bytes.empty())
                                 socket.close();
                             });
    });
  }

  bool probe(http::upstream& x) {
    calls = 0;
    x.probe([this](bool y) {
      ++calls;
      healthy = y;
    });
    CAF_CHECK_EQUAL(calls, 0);
    const auto ends = std::chrono::steady_clock::now() + 10s;
    while (calls == 0 && std::chrono::steady_clock::now() < ends)
      io.run_one_for(100ms);
    for (int i = 0; i < 5; ++i) // nothing may follow
      io.run_one_for(5ms);
    CAF_CHECK_EQUAL(calls, 1);
    return healthy;
  }

  bool probe() {
    http::upstream_options options;
    options.name = "u";
    options.api_keys = {"first", "second"};
    const auto port = acceptor.local_endpoint().port();
    options.url = {false, "127.0.0.1", port, "127.0.0.1:" + std::to_string(port), "/v1"};
    return probe(*http::make_openai_upstream(io, options));
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(upstream_probe_tests, fixture)

CAF_TEST(a probe asks for the models) {
  answer("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{");
  CAF_CHECK(probe());
  CAF_CHECK_EQUAL(request.substr(0, request.find('\r')), "GET /v1/models HTTP/1.1");
  CAF_CHECK(request.find("\r\nauthorization: Bearer first\r\n") != std::string::npos);
}

CAF_TEST(an upstream that answers and does not fail is healthy) {
  const std::pair<const char*, bool> table[] = {
      {"HTTP/1.1 200 X\r\n\r\n", true},
      {"HTTP/1.1 404 X\r\n\r\n", true},
      {"HTTP/1.1 100 X\r\n\r\nHTTP/1.1 200 X\r\n\r\n", true},
      {"HTTP/1.1 401 X\r\n\r\n", true},
      {"HTTP/1.1 403 X\r\n\r\n", true},
      {"HTTP/1.1 407 X\r\n\r\n", false},
      {"HTTP/1.1 429 X\r\n\r\n", true},
      {"HTTP/1.1 500 X\r\n\r\n", false},
      {"HTTP/1.1 503 X\r\n\r\n", false},
      {"SSH-2.0-OpenSSH_9.2\r\n\r\n", false},
      {"", false},
  };
  for (const auto& [bytes, expected] : table) {
    CAF_MESSAGE(bytes);
    answer(bytes);
    CAF_CHECK_EQUAL(probe(), expected);
  }
}

CAF_TEST(an upstream that is not there is not healthy) {
  acceptor.cancel();
  const auto port = acceptor.local_endpoint();
  acceptor.close();
  http::upstream_options options;
  options.url = {false, "127.0.0.1", port.port(), "127.0.0.1", ""};
  CAF_CHECK(!probe(*http::make_openai_upstream(io, options)));
}

CAF_TEST(the model inside the process is always healthy) {
  CAF_CHECK(probe(*http::make_builtin_upstream(io, {})));
}

CAF_TEST_FIXTURE_SCOPE_END()
