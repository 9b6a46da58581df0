#define CAF_SUITE upstream_link
#include "tests/test.hpp"

#include "http/link_pool.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <list>

using namespace lang_agent;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;
using http::upstream_link;

namespace {

const tcp::endpoint anywhere{asio::ip::address_v4::loopback(), 0};

struct fixture {
  asio::io_context io;
  std::list<tcp::acceptor> acceptors;
  std::list<tcp::socket> sockets;
  bool told = false;
  std::optional<http::upstream_fault> fault;

  tcp::endpoint listening(int backlog = 10) {
    auto& x = acceptors.emplace_back(io);
    x.open(tcp::v4());
    x.bind(anywhere);
    x.listen(backlog);
    return x.local_endpoint();
  }

  /// Where nobody listens.
  tcp::endpoint closed() {
    const auto out = listening();
    acceptors.pop_back();
    return out;
  }

  /// Where packets are dropped, because the queue of connections is full. Nothing if this system
  /// answers all the same.
  std::optional<tcp::endpoint> swallowing() {
    const auto out = listening(1);
    for (int i = 0; i < 10; ++i) {
      auto& x = sockets.emplace_back(io);
      x.open(tcp::v4());
      x.native_non_blocking(true);
      ::connect(x.native_handle(), out.data(), static_cast<socklen_t>(out.size()));
      pollfd wait{x.native_handle(), POLLOUT, 0};
      if (::poll(&wait, 1, 200) == 0)
        return out;
    }
    return std::nullopt;
  }

  std::shared_ptr<http::link_pool> pool(std::chrono::milliseconds connect_timeout) {
    http::upstream_options options;
    options.name = "u";
    options.url.host = "unused.invalid";
    options.connect_timeout = connect_timeout;
    return std::make_shared<http::link_pool>(io, options);
  }

  /// Connects; how long that took.
  std::chrono::milliseconds connect(const std::vector<tcp::endpoint>& addresses,
                                    std::chrono::milliseconds timeout,
                                    http::clock::time_point ends = http::clock::now() + 1h) {
    auto link = pool(timeout)->make(io.get_executor());
    const auto began = http::clock::now();
    told = false;
    asio::post(link->executor(), [&, link] {
      link->connect_to(addresses, ends, [this](auto x) {
        CAF_CHECK(!told);
        told = true;
        fault = std::move(x);
      });
    });
    while (!told && http::clock::now() < began + 10s)
      io.run_one_for(100ms);
    CAF_CHECK(told);
    link->close();
    return std::chrono::duration_cast<std::chrono::milliseconds>(http::clock::now() - began);
  }

  error_kind kind() const {
    return fault ? fault->why.kind : error_kind::internal;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(upstream_link_tests, fixture)

CAF_TEST(an address that refuses is followed by the next one) {
  connect({closed(), closed(), listening()}, 5s);
  CAF_CHECK(!fault);
}

CAF_TEST(an address that swallows everything leaves time for the others) {
  const auto hole = swallowing();
  if (!hole) {
    CAF_MESSAGE("this system has no such address");
    return;
  }
  CAF_CHECK_LESS(connect({*hole, listening()}, 2s), 1900ms);
  CAF_CHECK(!fault);
  // What one address leaves of its share is for the others.
  CAF_CHECK_GREATER(connect({closed(), *hole}, 1s), 900ms);
  CAF_CHECK(kind() == error_kind::upstream_connect_timeout);
}

CAF_TEST(when no address answers the last one is told) {
  const auto last = closed();
  connect({closed(), last}, 5s);
  CAF_CHECK(kind() == error_kind::upstream_unreachable);
  CAF_CHECK(fault->detail.find("port " + std::to_string(last.port())) != std::string::npos);
  CAF_CHECK(fault->why.message.find("port") == std::string::npos);
  connect({}, 5s);
  CAF_CHECK(kind() == error_kind::upstream_unreachable);
}

CAF_TEST(the end of the whole turn ends connecting) {
  const auto hole = swallowing();
  if (!hole)
    return;
  connect({*hole}, 60s, http::clock::now() + 300ms);
  CAF_CHECK(kind() == error_kind::upstream_total_timeout);
}

CAF_TEST(a link that is closed tells nobody) {
  auto link = pool(5s)->make(io.get_executor());
  asio::post(link->executor(), [&] {
    link->connect_to({listening()}, http::clock::now() + 1h, [this](auto) { told = true; });
    link->close();
  });
  for (int i = 0; i < 10; ++i)
    io.run_one_for(20ms);
  CAF_CHECK(!told);
}

CAF_TEST(a link that is dropped while it connects is no leak) {
  std::weak_ptr<http::link_pool> watch;
  {
    asio::io_context other;
    auto link = [&] {
      http::upstream_options options;
      auto x = std::make_shared<http::link_pool>(other, options);
      watch = x;
      return x->make(other.get_executor());
    }();
    asio::post(link->executor(), [&] {
      link->connect_to({listening()}, http::clock::now() + 1h, [link](auto) {});
      link.reset();
    });
    other.run_one();
  }
  CAF_CHECK(watch.expired());
}

CAF_TEST_FIXTURE_SCOPE_END()
