#define CAF_SUITE key_ring
#include "tests/test.hpp"

#include "actors/key_ring.hpp"

using namespace lang_agent;
using namespace std::chrono_literals;

namespace {

const key_ring::time_point start{1000h};

std::vector<std::size_t> take(key_ring& keys, std::size_t times, key_ring::time_point now) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < times; ++i)
    out.push_back(keys.take(now).value_or(99));
  return out;
}

using numbers = std::vector<std::size_t>;

} // namespace

CAF_TEST(keys take turns) {
  key_ring keys{3};
  CAF_CHECK_EQUAL(take(keys, 5, start), (numbers{0, 1, 2, 0, 1}));
}

CAF_TEST(an upstream without keys has one that is none) {
  key_ring keys{0};
  CAF_CHECK_EQUAL(take(keys, 2, start), (numbers{0, 0}));
}

CAF_TEST(a refused key rests longer each time until it is accepted) {
  key_ring keys{1};
  auto now = start;
  for (const auto rest : {5s, 10s, 20s, 40s}) {
    keys.refused(0, now);
    CAF_CHECK(keys.usable_at() == now + rest);
    now = keys.usable_at();
  }
  for (int i = 0; i < 10; ++i) {
    keys.refused(0, now);
    now = keys.usable_at();
  }
  keys.refused(0, now);
  CAF_CHECK(keys.usable_at() == now + key_ring::longest_rest);
  now = keys.usable_at();
  keys.accepted(0, now);
  keys.refused(0, now);
  CAF_CHECK(keys.usable_at() == now + 5s);
}

CAF_TEST(others are used while a key rests) {
  key_ring keys{2};
  keys.refused(0, start);
  CAF_CHECK_EQUAL(take(keys, 2, start), (numbers{1, 1}));
  CAF_CHECK_EQUAL(keys.resting(start), 1u);
}

CAF_TEST(keys that were tried are left out) {
  key_ring keys{3};
  CAF_CHECK(keys.take(start, {0}) == 1u);
  CAF_CHECK(keys.take(start, {0, 2}) == 1u);
  CAF_CHECK(!keys.take(start, {0, 1, 2}));
  CAF_CHECK(keys.has_usable(start, {0, 1}));
  keys.refused(2, start);
  CAF_CHECK(!keys.has_usable(start, {0, 1}));
}

CAF_TEST(attempts that were under way neither lengthen the rest nor end it) {
  key_ring keys{1};
  keys.refused(0, start);
  keys.refused(0, start + 1s);
  CAF_CHECK(keys.usable_at() == start + 5s);
  keys.accepted(0, start + 2s);
  CAF_CHECK(keys.all_refused(start + 2s));
}

CAF_TEST(a limited key is used again after its time) {
  key_ring keys{2};
  keys.limited(0, start + 10s);
  keys.limited(1, start + 4s);
  CAF_CHECK(!keys.has_usable(start));
  CAF_CHECK(!keys.all_refused(start));
  CAF_CHECK(keys.usable_at() == start + 4s);
  CAF_CHECK_EQUAL(take(keys, 2, start + 4s), (numbers{1, 1}));
  CAF_CHECK_EQUAL(take(keys, 2, start + 10s), (numbers{0, 1}));
}

CAF_TEST(it is known whether all keys were refused) {
  key_ring keys{2};
  keys.refused(0, start);
  CAF_CHECK(!keys.all_refused(start));
  keys.limited(1, start + 10s);
  CAF_CHECK(!keys.all_refused(start));
  keys.refused(1, start + 10s);
  keys.refused(0, start + 10s);
  CAF_CHECK(keys.all_refused(start + 10s));
}
