#define CAF_SUITE request_timing
#include "tests/test.hpp"

#include "actors/request_timing.hpp"

using namespace lang_agent;
using namespace std::chrono_literals;

namespace {

const auto start = turn_stations::time_point{} + 1h;

request_timing plain() {
  request_timing out;
  out.received = start;
  out.started = start + 1ms;
  out.decoded = start + 3ms;
  out.stations = {.begun = start + 6ms,
                  .ordered = start + 10ms,
                  .asked = start + 15ms,
                  .answered = start + 21ms,
                  .stored = start + 28ms};
  return out;
}

} // namespace

CAF_TEST(the parts of a plain turn add up to its time) {
  const auto timing = plain();
  CAF_CHECK_EQUAL(timing.header(), "read;dur=1.000, parse;dur=2.000, admission;dur=3.000, "
                                   "queue;dur=5.000, upstream;dur=6.000, store;dur=11.000");
  CAF_CHECK_EQUAL(timing.log_fields(start + 36ms + 7us),
                  " read_ms=1.000 parse_ms=2.000 admission_ms=3.000 queue_ms=5.000 "
                  "upstream_ms=6.000 store_ms=11.000 write_ms=8.007");
}

CAF_TEST(the head of a stream knows the time to the first token) {
  auto timing = plain();
  timing.stations->answered = timing.stations->stored = {};
  timing.first_token = start + 17ms;
  CAF_CHECK_EQUAL(timing.header(), "read;dur=1.000, parse;dur=2.000, admission;dur=3.000, "
                                   "queue;dur=5.000, upstream;dur=2.000, store;dur=4.000");
}

CAF_TEST(a request that was no turn says nothing) {
  request_timing timing;
  timing.received = start;
  CAF_CHECK_EQUAL(timing.header(), "");
  CAF_CHECK_EQUAL(timing.log_fields(start + 1s), "");
}

CAF_TEST(a part that took no time is none) {
  auto timing = plain();
  timing.stations->asked = timing.stations->ordered;
  CAF_CHECK(timing.header().find("queue;dur=0.000") != std::string::npos);
}
