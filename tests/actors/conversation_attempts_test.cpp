/// Requests that say the same as an earlier one, and their retries.
#define CAF_SUITE conversation_attempts
#include "tests/actors/conversation_fixture.hpp"

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

const retry_marks sdk_retry{"", true};

struct attempts_fixture : conversation_fixture {
  /// "continue" was said once before, and answered.
  void start_with_earlier_answer() {
    start_loaded();
    talk("continue", "earlier");
  }

  std::size_t lookups() const {
    return journal->count<find_answer>();
  }

  bool is_running(turn_id id) {
    return orders() > 0 && order().id == id;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(conversation_attempts_tests, attempts_fixture)

CAF_TEST(a retry of a failed request does not get the answer to an earlier one) {
  start_with_earlier_answer();
  fail(say("continue"));
  const auto retry = say("continue", sdk_retry);
  CAF_CHECK_EQUAL(lookups(), 0u);
  CAF_CHECK(is_running(retry));
  complete(retry, "later");
  stored(retry);
  CAF_CHECK_EQUAL(requester->count<turn_committed>(), 2u);
  CAF_CHECK_EQUAL(requester->count<turn_replayed>(), 0u);
}

CAF_TEST(a retry of a stored request is looked up) {
  start_with_earlier_answer();
  const auto retry = say("continue", sdk_retry);
  CAF_CHECK_EQUAL(lookups(), 1u);
  CAF_CHECK(!is_running(retry));
  found(retry, {"{\"earlier\":1}", false});
  CAF_CHECK_EQUAL(requester->count<turn_replayed>(), 1u);
}

CAF_TEST(a retry of a retry that was stored is looked up) {
  start_with_earlier_answer();
  fail(say("continue"));
  const auto retry = say("continue", sdk_retry);
  complete(retry, "later");
  stored(retry);
  say("continue", sdk_retry);
  CAF_CHECK_EQUAL(lookups(), 1u);
}

CAF_TEST(retries that fail too are followed by one that runs) {
  start_with_earlier_answer();
  fail(say("continue"));
  fail(say("continue", sdk_retry));
  fail(say("continue", sdk_retry));
  const auto last = say("continue", sdk_retry);
  CAF_CHECK_EQUAL(lookups(), 0u);
  CAF_CHECK(is_running(last));
}

CAF_TEST(a request that its client left is one that failed) {
  start_with_earlier_answer();
  cancel(say("continue"));
  const auto retry = say("continue", sdk_retry);
  CAF_CHECK_EQUAL(lookups(), 0u);
  CAF_CHECK(is_running(retry));
}

CAF_TEST(a request that waited in vain is one that failed) {
  start_with_earlier_answer();
  const auto other = say("other", {"", false, 2});
  cancel(say("continue"));
  const auto retry = say("continue", sdk_retry);
  complete(other, "x");
  stored(other);
  CAF_CHECK_EQUAL(lookups(), 0u);
  CAF_CHECK(is_running(retry));
}

CAF_TEST(a request that was not stored is one that failed) {
  start_with_earlier_answer();
  const auto id = say("continue");
  complete(id, "lost");
  not_stored(id, disk_full());
  const auto retry = say("continue", sdk_retry);
  load();
  CAF_CHECK_EQUAL(lookups(), 0u);
  CAF_CHECK(is_running(retry));
}

CAF_TEST(a request that was refused as busy is one that failed) {
  options.on_busy = busy_policy::reject;
  start_with_earlier_answer();
  const auto other = say("other", {"", false, 2});
  say("continue");
  CAF_CHECK(requester->last<turn_failed>().why.kind == error_kind::thread_busy);
  complete(other, "x");
  stored(other);
  const auto retry = say("continue", sdk_retry);
  CAF_CHECK_EQUAL(lookups(), 0u);
  CAF_CHECK(is_running(retry));
}

CAF_TEST(a client that left while its turn was stored gets the answer again) {
  start_with_earlier_answer();
  const auto id = say("continue");
  complete(id, "later");
  cancel(id);
  stored(id);
  say("continue", sdk_retry);
  CAF_CHECK_EQUAL(lookups(), 1u);
}

CAF_TEST(a request that is known only as a retry is looked up) {
  start_loaded();
  const auto id = say("continue", sdk_retry);
  CAF_CHECK_EQUAL(lookups(), 1u);
  found(id);
  fail(id);
  // Still nobody knows how its first attempt ended.
  say("continue", sdk_retry);
  CAF_CHECK_EQUAL(lookups(), 2u);
}

CAF_TEST(another body is another request) {
  start_with_earlier_answer();
  fail(say("continue"));
  say("other", {"", true, 2});
  CAF_CHECK_EQUAL(lookups(), 1u);
}

CAF_TEST(a key tells all by itself) {
  start_with_earlier_answer();
  fail(say("continue"));
  const auto id = say("continue", {"key", true});
  CAF_CHECK_EQUAL(lookups(), 1u);
  found(id);
  fail(id);
  say("continue", {"key", true});
  CAF_CHECK_EQUAL(lookups(), 2u);
}

CAF_TEST(what failed is remembered within a bound) {
  start_loaded();
  const auto fail_one = [&](std::uint64_t body) { fail(say("x", {"", false, body})); };
  fail_one(1);
  for (std::uint64_t body = 2; body <= 64; ++body)
    fail_one(body);
  // The first turn of the fixture has left, this one has not.
  const auto known = say("x", {"", true, 1});
  CAF_CHECK_EQUAL(lookups(), 0u);
  fail(known);
  fail_one(65);
  say("x", {"", true, 1});
  CAF_CHECK_EQUAL(lookups(), 1u);
}

CAF_TEST(a request that fails again and again is remembered once) {
  start_loaded();
  fail(say("first", {"", false, 1}));
  for (int i = 0; i < 200; ++i)
    fail(say("second", {"", false, 2}));
  const auto retry = say("first", {"", true, 1});
  CAF_CHECK_EQUAL(lookups(), 0u);
  CAF_CHECK(is_running(retry));
}

CAF_TEST_FIXTURE_SCOPE_END()
