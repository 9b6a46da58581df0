#define CAF_SUITE retention
#include "tests/actors/fixture.hpp"

#include "actors/retention.hpp"

using namespace lang_agent;
using namespace lang_agent::test;
using namespace std::chrono_literals;

namespace {

struct retention_fixture : fixture {
  std::vector<std::shared_ptr<directory_inbox>> shards;
  std::shared_ptr<journal_inbox> journal = std::make_shared<journal_inbox>();
  std::shared_ptr<journal_gate> gate = std::make_shared<journal_gate>(1024 * 1024);
  directory_shards directory;
  retention_actor aut;

  ~retention_fixture() {
    kill(aut);
  }

  void start(std::vector<retention_rule> rules) {
    std::vector<directory_actor> actors;
    for (int i = 0; i < 3; ++i) {
      shards.push_back(std::make_shared<directory_inbox>());
      actors.push_back(directory_probe(shards.back()));
    }
    directory = std::make_shared<const std::vector<directory_actor>>(std::move(actors));
    aut = adopt(spawn_retention(sys, std::move(rules), directory, {journal_probe(journal), gate}));
  }

  std::size_t asked() const {
    return journal->count<ask_store>();
  }

  const find_expired& question() {
    return std::get<find_expired>(journal->last<ask_store>().query);
  }

  void answer(expired_threads x) {
    journal->last<ask_store>().place = {};
    send(aut, store_answer{query_result{std::move(x)}});
  }

  std::size_t deletions() const {
    std::size_t sum = 0;
    for (const auto& x : shards)
      sum += x->count<change_thread>();
    return sum;
  }
};

/// About so many milliseconds ago.
bool is_ago(unix_ms x, unix_ms ms) {
  const auto age = unix_now() - x;
  return age >= ms && age < ms + 60'000;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(retention_tests, retention_fixture)

CAF_TEST(without a rule nothing is asked) {
  start({});
  pass(2h);
  CAF_CHECK_EQUAL(asked(), 0u);
  CAF_CHECK(!sched.has_pending_timeout());
}

CAF_TEST(threads without a turn for longer than their tenant wants are looked for) {
  start({{"a", 1h}});
  CAF_REQUIRE_EQUAL(asked(), 1u);
  CAF_CHECK_EQUAL(question().tenant, "a");
  CAF_CHECK(is_ago(question().updated_before, 3'600'000));
  CAF_CHECK(question().after.empty());
  CAF_CHECK(journal->last<ask_store>().reply_to == store_client_actor{aut});
  CAF_CHECK(journal->last<ask_store>().place);
}

CAF_TEST(each is deleted by way of its shard and only if it is still old) {
  start({{"a", 1h}});
  std::vector<std::string> ids;
  for (int i = 0; i < 30; ++i)
    ids.push_back(std::to_string(i));
  answer({ids, ""});
  CAF_CHECK_EQUAL(deletions(), 30u);
  for (std::size_t i = 0; i < shards.size(); ++i)
    for (const auto& x : shards[i]->all<change_thread>()) {
      const auto& deletion = std::get<delete_thread>(x.change);
      CAF_CHECK(shard_of(directory, x.key) == (*directory)[i]);
      CAF_CHECK(deletion.key == x.key);
      CAF_CHECK_EQUAL(x.key.tenant, "a");
      CAF_CHECK(is_ago(deletion.updated_before, 3'600'000));
      CAF_CHECK(!x.reply_to);
    }
  CAF_CHECK_GREATER(shards[0]->count<change_thread>(), 0u);
  CAF_CHECK_GREATER(shards[1]->count<change_thread>(), 0u);
}

CAF_TEST(a pass walks through pages with pauses between them) {
  start({{"a", 1h}});
  answer({{}, "9"});
  CAF_CHECK_EQUAL(asked(), 1u);
  pass(49ms);
  CAF_CHECK_EQUAL(asked(), 1u);
  pass(1ms);
  CAF_REQUIRE_EQUAL(asked(), 2u);
  CAF_CHECK_EQUAL(question().after, "9");
  answer({{"10", "11"}, ""});
  CAF_CHECK_EQUAL(deletions(), 2u);
}

CAF_TEST(a step is done again from its place until it finds nothing new) {
  start({{"a", 1h}});
  answer({{}, "9"});
  pass(50ms);
  answer({{"10", "11"}, "11"});
  CAF_CHECK_EQUAL(deletions(), 2u);
  pass(50ms);
  CAF_REQUIRE_EQUAL(asked(), 3u);
  CAF_CHECK_EQUAL(question().after, "9");
  answer({{"11", "12"}, "12"}); // that one has a turn
  CAF_CHECK_EQUAL(deletions(), 3u);
  pass(50ms);
  CAF_CHECK_EQUAL(question().after, "9");
  answer({{"11"}, "13"});
  CAF_CHECK_EQUAL(deletions(), 3u);
  pass(50ms);
  CAF_REQUIRE_EQUAL(asked(), 5u);
  CAF_CHECK_EQUAL(question().after, "13");
}

CAF_TEST(a thread that was busy is tried again in the next pass) {
  start({{"a", 16min}});
  answer({{"1"}, ""});
  pass(50ms);
  answer({{"1"}, ""});
  CAF_CHECK_EQUAL(deletions(), 1u);
  pass(50ms);
  CAF_CHECK_EQUAL(asked(), 2u); // the pass is over
  pass(60s);
  CAF_REQUIRE_EQUAL(asked(), 3u);
  answer({{"1"}, ""});
  CAF_CHECK_EQUAL(deletions(), 2u);
}

CAF_TEST(between two passes is a part of the time that threads live) {
  start({{"a", 16min}});
  answer({{}, ""});
  pass(59s);
  CAF_CHECK_EQUAL(asked(), 1u);
  pass(1s);
  CAF_REQUIRE_EQUAL(asked(), 2u);
  CAF_CHECK(question().after.empty());
}

CAF_TEST(the pause has bounds) {
  start({{"a", 1ms}});
  answer({{}, ""});
  pass(99ms);
  CAF_CHECK_EQUAL(asked(), 1u);
  pass(1ms);
  CAF_CHECK_EQUAL(asked(), 2u);
  kill(aut);
  start({{"a", 8760h}});
  const auto before = asked();
  answer({{}, ""});
  pass(59min);
  CAF_CHECK_EQUAL(asked(), before);
  pass(1min);
  CAF_CHECK_EQUAL(asked(), before + 1);
}

CAF_TEST(a pass goes through all tenants) {
  start({{"a", 1h}, {"b", 2h}});
  answer({{"1"}, "1"});
  pass(50ms);
  CAF_CHECK_EQUAL(question().tenant, "a");
  answer({{}, ""});
  pass(50ms);
  CAF_CHECK_EQUAL(question().tenant, "b");
  CAF_CHECK(question().after.empty());
  CAF_CHECK(is_ago(question().updated_before, 7'200'000));
  answer({{"1"}, ""}); // another one of that name
  CAF_CHECK_EQUAL(deletions(), 2u);
  pass(50ms);
  CAF_CHECK_EQUAL(question().tenant, "b");
  answer({{}, ""});
  CAF_CHECK_EQUAL(asked(), 4u);
  pass(50ms);
  CAF_CHECK_EQUAL(asked(), 4u); // the pass is over
  pass(4min);
  CAF_CHECK_EQUAL(question().tenant, "a");
}

CAF_TEST(a store that fails is asked again) {
  start({{"a", 16min}, {"b", 16min}});
  send(aut, store_answer{disk_full()});
  pass(50ms);
  CAF_REQUIRE_EQUAL(asked(), 2u);
  CAF_CHECK_EQUAL(question().tenant, "b");
  send(aut, store_answer{disk_full()});
  pass(60s);
  CAF_REQUIRE_EQUAL(asked(), 3u);
  CAF_CHECK_EQUAL(question().tenant, "a");
  answer({{"1"}, ""});
  CAF_CHECK_EQUAL(deletions(), 1u);
}

CAF_TEST(a full queue to the journal only makes it wait) {
  auto full = gate->try_enter(2 * 1024 * 1024);
  start({{"a", 1h}});
  CAF_CHECK_EQUAL(asked(), 0u);
  pass(50ms);
  CAF_CHECK_EQUAL(asked(), 0u);
  full.reset();
  pass(50ms);
  CAF_CHECK_EQUAL(asked(), 1u);
}

CAF_TEST_FIXTURE_SCOPE_END()
