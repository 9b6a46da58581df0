#define CAF_SUITE rate_bucket
#include "tests/test.hpp"

#include "actors/rate_bucket.hpp"

#include <random>

using namespace lang_agent;
using namespace std::chrono_literals;

namespace {

constexpr rate_bucket::clock::time_point start{1000s};

rate_bucket bucket_of(std::uint64_t per_minute) {
  rate_bucket out;
  out.resize(per_minute, start);
  return out;
}

} // namespace

CAF_TEST(a new bucket is full) {
  const auto bucket = bucket_of(60);
  CAF_CHECK_EQUAL(bucket.available(start), 60u);
  CAF_CHECK(bucket.until_full(start) == 0s);
  CAF_CHECK(bucket.wait_for(60, start) == 0s);
}

CAF_TEST(what is taken comes back steadily) {
  auto bucket = bucket_of(60);
  bucket.take(60, start);
  CAF_CHECK_EQUAL(bucket.available(start), 0u);
  CAF_CHECK_EQUAL(bucket.available(start + 999ms), 0u);
  CAF_CHECK_EQUAL(bucket.available(start + 1s), 1u);
  CAF_CHECK_EQUAL(bucket.available(start + 30s), 30u);
  CAF_CHECK(bucket.wait_for(10, start) == 10s);
  CAF_CHECK(bucket.until_full(start + 15s) == 45s);
}

CAF_TEST(it never holds more than its size) {
  auto bucket = bucket_of(10);
  bucket.take(1, start);
  CAF_CHECK_EQUAL(bucket.available(start + 24h), 10u);
}

CAF_TEST(what is given back is there again) {
  auto bucket = bucket_of(1000);
  bucket.take(900, start);
  bucket.give_back(400);
  CAF_CHECK_EQUAL(bucket.available(start), 500u);
}

CAF_TEST(who uses more than there is leaves a debt) {
  auto bucket = bucket_of(60);
  bucket.take(90, start);
  CAF_CHECK_EQUAL(bucket.available(start + 29s), 0u);
  CAF_CHECK_EQUAL(bucket.available(start + 31s), 1u);
}

CAF_TEST(an absurd use does not overflow) {
  auto bucket = bucket_of(1);
  bucket.take(std::numeric_limits<std::uint64_t>::max(), start);
  CAF_CHECK_EQUAL(bucket.available(start + 1h), 0u);
}

CAF_TEST(no window of a minute gets more than the bucket and what refills) {
  // Whatever the size, and although intervals are whole nanoseconds.
  std::mt19937 random{7};
  for (int round = 0; round < 200; ++round) {
    const auto limit = std::uniform_int_distribution<std::uint64_t>{1, 1'000'000}(random);
    auto bucket = bucket_of(limit);
    auto now = start;
    std::uint64_t taken = 0;
    while (now < start + 1min) {
      const auto there = bucket.available(now);
      bucket.take(there, now);
      taken += there;
      now += std::chrono::milliseconds{std::uniform_int_distribution<int>{1, 20'000}(random)};
    }
    CAF_REQUIRE_LESS_OR_EQUAL(taken, 2 * limit);
    CAF_REQUIRE_LESS_OR_EQUAL(bucket.available(start), limit);
  }
}

CAF_TEST(a new size keeps what is taken) {
  auto bucket = bucket_of(60);
  bucket.take(60, start);
  bucket.resize(120, start);
  CAF_CHECK_EQUAL(bucket.available(start), 60u);
  CAF_CHECK_EQUAL(bucket.available(start + 30s), 120u);
  bucket.resize(30, start);
  CAF_CHECK_EQUAL(bucket.available(start), 0u);
  CAF_CHECK_EQUAL(bucket.available(start + 2s), 1u); // a smaller one is full again in a minute
  CAF_CHECK_EQUAL(bucket.available(start + 60s), 30u);
  bucket.resize(0, start);
  CAF_CHECK(!bucket.is_limited());
  bucket.resize(10, start);
  CAF_CHECK_EQUAL(bucket.available(start), 10u);
}
