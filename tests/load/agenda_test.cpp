#define CAF_SUITE load_agenda
#include "tests/test.hpp"

#include "benchmarks/load/agenda.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <vector>

using namespace lang_agent;
using namespace std::chrono_literals;
using load::agenda;

namespace {

struct fixture {
  boost::asio::io_context context;
  agenda appointments{context};
  load::time_point start = load::clock::now();
  std::vector<int> done;

  void at(std::chrono::milliseconds when, int what) {
    appointments.at(start + when, [this, what] { done.push_back(what); });
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(agenda_tests, fixture)

CAF_TEST(appointments come in the order of their times) {
  at(20ms, 3);
  at(5ms, 2);
  at(-5ms, 1);
  context.run();
  CAF_CHECK(done == std::vector<int>({1, 2, 3}));
  CAF_CHECK(load::clock::now() >= start + 20ms);
}

CAF_TEST(those of one time come in the order in which they were made) {
  for (int i = 0; i < 100; ++i)
    at(1ms, i);
  context.run();
  CAF_REQUIRE_EQUAL(done.size(), 100u);
  CAF_CHECK(std::is_sorted(done.begin(), done.end()));
}

CAF_TEST(an appointment may make another one that is due at once) {
  appointments.at(start, [this] { at(-1ms, 1); });
  at(1ms, 2);
  context.run();
  CAF_CHECK(done == std::vector<int>({1, 2}));
}

CAF_TEST(a crowd that is late lets others have their turn in between) {
  for (int i = 0; i < 1000; ++i)
    at(-1ms, i);
  context.run_one();
  boost::asio::post(context, [this] { done.push_back(-1); });
  context.run();
  const auto other = std::find(done.begin(), done.end(), -1) - done.begin();
  CAF_CHECK(other < 500);
  CAF_CHECK_EQUAL(done.size(), 1001u);
}

CAF_TEST_FIXTURE_SCOPE_END()
