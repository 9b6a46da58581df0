#define CAF_SUITE load_process_usage
#include "tests/test.hpp"

#include "benchmarks/load/process_usage.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

using namespace lang_agent;
using boost::asio::ip::tcp;

namespace {

bool contains(const std::vector<int>& list, int x) {
  return std::find(list.begin(), list.end(), x) != list.end();
}

} // namespace

CAF_TEST(who listens on a port is found whatever the address family) {
  boost::asio::io_context context;
  for (const auto* address : {"127.0.0.1", "::1"}) {
    tcp::acceptor listener{context, {boost::asio::ip::make_address(address), 0}};
    const auto port = listener.local_endpoint().port();
    CAF_CHECK(contains(load::listeners_of(port), getpid()));
    listener.close();
    CAF_CHECK(load::listeners_of(port).empty());
  }
}

CAF_TEST(children belong to their parents) {
  int hold[2];
  CAF_REQUIRE_EQUAL(pipe(hold), 0);
  const auto child = fork();
  if (child == 0) {
    char byte = 0;
    close(hold[1]);
    _exit(read(hold[0], &byte, 1) == 0 ? 0 : 1); // until the test is over
  }
  const auto family = load::with_children({getpid()});
  CAF_CHECK(contains(family, getpid()));
  CAF_CHECK(contains(family, child));
  close(hold[1]);
  close(hold[0]);
  waitpid(child, nullptr, 0);
}

CAF_TEST(processor time and memory are those of the process) {
  const load::process_usage usage{{getpid()}};
  CAF_CHECK(usage.resident_bytes() > 100'000);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{10};
  while (usage.cpu_seconds() < 0.02 && std::chrono::steady_clock::now() < end) {
  }
  CAF_CHECK(usage.cpu_seconds() >= 0.02);
}

CAF_TEST(a process that is gone uses nothing) {
  const load::process_usage usage{{999'999'999}};
  CAF_CHECK_EQUAL(usage.cpu_seconds(), 0.0);
  CAF_CHECK_EQUAL(usage.resident_bytes(), 0u);
  CAF_CHECK(!usage.is_complete());
  CAF_CHECK(load::process_usage{{getpid()}}.is_complete());
}
