#define CAF_SUITE queue_pace
#include "tests/test.hpp"

#include "actors/queue_pace.hpp"

using namespace lang_agent;
using namespace std::chrono_literals;

namespace {

struct fixture {
  queue_pace aut;
  queue_pace::time_point now = queue_pace::time_point{} + 1h;

  void serve(int count, std::chrono::milliseconds each) {
    for (int i = 0; i < count; ++i) {
      now += each;
      aut.served(now, 600);
    }
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(queue_pace_tests, fixture)

CAF_TEST(a queue that has served a few only promises nothing) {
  serve(50, 10ms);
  CAF_CHECK(!aut.wait_behind(100));
  CAF_CHECK(!aut.wait_for(100));
}

CAF_TEST(the wait grows with those who are before) {
  serve(51, 10ms);
  CAF_CHECK(aut.wait_behind(0) == 10ms);
  CAF_CHECK(aut.wait_behind(99) == 1s);
  CAF_CHECK(aut.wait_for(60'000) == 1s); // tokens of a hundred orders
}

CAF_TEST(the pace follows what the queue does) {
  serve(51, 10ms);
  serve(33, 50ms);
  CAF_CHECK(aut.wait_behind(9) > 400ms); // at once
  serve(600, 2ms);
  CAF_CHECK(aut.wait_behind(9) > 200ms); // but good news are not believed at once
  serve(4000, 2ms);
  CAF_CHECK(aut.wait_behind(9) < 60ms);
}

CAF_TEST(places that become free in bursts count by their mean) {
  for (int burst = 0; burst < 8; ++burst) {
    serve(1, 100ms);
    serve(19, 0ms);
  }
  const auto each = aut.wait_behind(0);
  CAF_REQUIRE(each.has_value());
  CAF_CHECK(*each > 3ms);
  CAF_CHECK(*each < 7ms);
}

CAF_TEST(a queue that was empty is a new one) {
  serve(40, 10ms);
  aut.emptied();
  CAF_CHECK(!aut.wait_behind(0));
}

CAF_TEST_FIXTURE_SCOPE_END()
