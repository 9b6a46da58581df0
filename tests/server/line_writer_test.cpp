#define CAF_SUITE line_writer
#include "tests/test.hpp"

#include "server/line_writer.hpp"

#include <unistd.h>

#include <array>
#include <optional>
#include <string>
#include <thread>

using namespace lang_agent;

namespace {

struct fixture {
  std::array<int, 2> ends{};
  std::optional<line_writer> aut;

  fixture() {
    CAF_REQUIRE_EQUAL(::pipe(ends.data()), 0);
  }

  ~fixture() {
    ::close(ends[0]);
    ::close(ends[1]);
  }

  void start(std::size_t most_unwritten, line_writer::when_full policy) {
    aut.emplace(ends[1], most_unwritten, policy);
  }

  /// Reads until so much has come.
  std::string read_until(std::string_view last) {
    std::string out;
    std::array<char, 4096> bytes{};
    while (out.find(last) == std::string::npos) {
      const auto n = ::read(ends[0], bytes.data(), bytes.size());
      CAF_REQUIRE(n > 0);
      out.append(bytes.data(), static_cast<std::size_t>(n));
    }
    return out;
  }
};

std::string line(int n) {
  return "line " + std::to_string(n) + "\n";
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(line_writer_tests, fixture)

CAF_TEST(lines leave whole and in order) {
  start(1 << 20, line_writer::when_full::lose);
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    aut->write(line(i));
    expected += line(i);
  }
  CAF_CHECK_EQUAL(read_until(line(999)), expected);
}

CAF_TEST(what was written is out when the writer has ended) {
  start(1 << 20, line_writer::when_full::lose);
  aut->write(line(1));
  aut->write(line(2));
  aut.reset();
  CAF_CHECK_EQUAL(read_until(line(2)), line(1) + line(2));
}

CAF_TEST(when nobody reads lines are lost and counted and nobody waits) {
  start(1000, line_writer::when_full::lose);
  // More than the pipe holds, and the buffer.
  for (int i = 0; i < 100'000; ++i)
    aut->write(line(i));
  std::thread reader{[this] {
    const auto got = read_until("lines lost, as nobody took them in time: ");
    CAF_CHECK(got.starts_with(line(0)));
  }};
  reader.join();
}

CAF_TEST(a writer that waits for room loses no line) {
  start(100, line_writer::when_full::wait);
  std::string expected;
  for (int i = 0; i < 20'000; ++i)
    expected += line(i);
  std::string got;
  std::thread reader{[&] { got = read_until(line(19'999)); }};
  for (int i = 0; i < 20'000; ++i)
    aut->write(line(i));
  reader.join();
  CAF_CHECK(got == expected);
}

CAF_TEST_FIXTURE_SCOPE_END()
