#define CAF_SUITE conversation_context
#include "tests/actors/conversation_fixture.hpp"

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

const failure too_long{error_kind::context_too_long, "too long"};

/// So many turns of two messages, all about as long.
message_list turns(int count) {
  const std::string filler(200, 'x');
  message_list out;
  for (int i = 1; i <= count; ++i) {
    out.push_back(message("user", "question " + std::to_string(i) + filler));
    out.push_back(message("assistant", "answer " + std::to_string(i) + filler));
  }
  return out;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(conversation_context_tests, conversation_fixture)

CAF_TEST(a prompt that is too long is tried once more with about half of it) {
  start_loaded(turns(8));
  const auto id = say("next");
  CAF_CHECK_EQUAL(order().prompt.size(), 17u);
  fail(id, too_long);
  CAF_REQUIRE_EQUAL(orders(), 2u);
  CAF_CHECK_EQUAL(order().id, id);
  const auto used = order().prompt.size();
  CAF_CHECK(used >= 7 && used <= 9);
  CAF_CHECK(asks_for("next"));
  CAF_CHECK(asks_for("answer 8"));
  CAF_CHECK(!asks_for("question 1"));
  CAF_CHECK(order().prompt.front()->who == role::user);
  CAF_CHECK_EQUAL(order().context.used, used);
  CAF_CHECK_EQUAL(order().context.total, 17u);
  complete(id, "well");
  // The thread keeps everything.
  CAF_CHECK_EQUAL(record().keep, 16u);
  CAF_CHECK_EQUAL(record().messages.size(), 2u);
  stored(id);
  CAF_REQUIRE_EQUAL(requester->count<turn_committed>(), 1u);
  CAF_CHECK_EQUAL(requester->last<turn_committed>().context.used, used);
  CAF_CHECK_EQUAL(requester->last<turn_committed>().context.total, 17u);
}

CAF_TEST(a prompt that is still too long is not tried again) {
  start_loaded(turns(8));
  const auto id = say("next");
  fail(id, too_long);
  fail(id, too_long);
  CAF_CHECK_EQUAL(orders(), 2u);
  CAF_REQUIRE_EQUAL(requester->count<turn_failed>(), 1u);
  CAF_CHECK(requester->last<turn_failed>().why.kind == error_kind::context_too_long);
  // The next turn has its own chance.
  fail(say("again"), too_long);
  CAF_CHECK_EQUAL(orders(), 4u);
}

CAF_TEST(a prompt that is too long is not tried again when that is switched off) {
  options.retry_with_less_context = false;
  start_loaded(turns(8));
  fail(say("next"), too_long);
  CAF_CHECK_EQUAL(orders(), 1u);
  CAF_CHECK(requester->last<turn_failed>().why.kind == error_kind::context_too_long);
}

CAF_TEST(a prompt of which nothing can be left out is not tried again) {
  start_loaded();
  fail(say("a very long question"), too_long);
  CAF_CHECK_EQUAL(orders(), 1u);
  CAF_CHECK(requester->last<turn_failed>().why.kind == error_kind::context_too_long);
}

CAF_TEST(other failures are not tried again) {
  start_loaded(turns(8));
  fail(say("next"));
  CAF_CHECK_EQUAL(orders(), 1u);
}

CAF_TEST(less context keeps the instructions) {
  start();
  const auto id =
      ask(R"([{"role":"system","content":"be brief"},{"role":"user","content":"next"}])");
  load(turns(8));
  CAF_CHECK_EQUAL(order().context.total, 18u);
  fail(id, too_long);
  CAF_REQUIRE_EQUAL(orders(), 2u);
  CAF_CHECK(asks_for("be brief"));
  CAF_CHECK_LESS(order().prompt.size(), 18u);
}

CAF_TEST(less context is less than what the limits allow) {
  options.limits = {9, 0};
  start_loaded(turns(8));
  const auto id = say("next");
  CAF_CHECK_EQUAL(order().prompt.size(), 9u);
  fail(id, too_long);
  CAF_REQUIRE_EQUAL(orders(), 2u);
  CAF_CHECK_LESS_OR_EQUAL(order().prompt.size(), 5u);
}

CAF_TEST(the second attempt can be cancelled) {
  start_loaded(turns(8));
  const auto id = say("next");
  fail(id, too_long);
  cancel(id);
  CAF_REQUIRE_EQUAL(pool->count<order_cancelled>(), 1u);
  CAF_CHECK(requester->last<turn_failed>().why.kind == error_kind::client_gone);
}

CAF_TEST(a stateless turn is not tried again) {
  start(true);
  const auto id = say("hi");
  fail(id, too_long);
  CAF_CHECK_EQUAL(orders(), 1u);
  CAF_CHECK_EQUAL(requester->count<turn_failed>(), 1u);
}

CAF_TEST(a thread is loaded as far as its prompts reach) {
  options.limits = {4, 100};
  start();
  say("hi");
  CAF_CHECK_EQUAL(journal->last<load_thread>().limits.max_messages, 4u);
  CAF_CHECK_EQUAL(journal->last<load_thread>().limits.max_tokens, 100u);
  CAF_CHECK(journal->last<load_thread>().key == key);
}

CAF_TEST(what was not loaded counts and stays) {
  options.limits = {3, 0};
  start();
  const auto first = say("next");
  load(turns(1), {}, 10);
  CAF_CHECK_EQUAL(journal->count<load_thread>(), 1u);
  CAF_CHECK_EQUAL(order().prompt.size(), 3u);
  CAF_CHECK_EQUAL(order().context.used, 3u);
  CAF_CHECK_EQUAL(order().context.total, 13u);
  complete(first, "well");
  CAF_CHECK_EQUAL(record().keep, 12u);
  CAF_CHECK_EQUAL(record().messages.size(), 2u);
  stored(first);
  CAF_CHECK_EQUAL(requester->last<turn_committed>().context.total, 13u);
  const auto second = say("and then");
  CAF_CHECK_EQUAL(order().context.total, 15u);
  complete(second, "so");
  CAF_CHECK_EQUAL(record().keep, 14u);
  CAF_CHECK_EQUAL(record().version, 2u);
}

CAF_TEST(a client that resends its answers makes the whole thread be loaded) {
  options.limits = {3, 0};
  start();
  const auto id = ask(R"([{"role":"user","content":"one"},{"role":"assistant","content":"1"},
                          {"role":"user","content":"two, edited"}])");
  const auto two = message("user", "two");
  load({two, message("assistant", "2")}, {}, 2);
  CAF_REQUIRE_EQUAL(journal->count<load_thread>(), 2u);
  CAF_CHECK(journal->last<load_thread>().limits.unlimited());
  CAF_CHECK_EQUAL(orders(), 0u);
  load({message("user", "one"), message("assistant", "1"), two, message("assistant", "2")});
  CAF_REQUIRE_EQUAL(orders(), 1u);
  complete(id, "2, edited");
  CAF_CHECK_EQUAL(record().keep, 2u);
  CAF_CHECK_EQUAL(record().messages.size(), 2u);
  stored(id);
  // It is whole from now on.
  ask(R"([{"role":"user","content":"one"},{"role":"assistant","content":"1"},
          {"role":"user","content":"other"}])");
  CAF_CHECK_EQUAL(journal->count<load_thread>(), 2u);
  CAF_CHECK_EQUAL(orders(), 2u);
}

CAF_TEST(a turn behind one that needs the whole thread keeps its place) {
  options.limits = {3, 0};
  start();
  const auto first = ask(R"([{"role":"user","content":"a"},{"role":"assistant","content":"b"},
                             {"role":"user","content":"resent"}])");
  say("second");
  load(turns(1), {}, 2);
  load(turns(2));
  CAF_REQUIRE_EQUAL(orders(), 1u);
  CAF_CHECK_EQUAL(order().id, first);
  complete(first, "x");
  stored(first);
  CAF_CHECK_EQUAL(orders(), 2u);
  CAF_CHECK(asks_for("second"));
}

CAF_TEST(a whole thread that cannot be loaded fails its turn) {
  options.limits = {3, 0};
  start();
  ask(R"([{"role":"user","content":"a"},{"role":"assistant","content":"b"},
          {"role":"user","content":"c"}])");
  load(turns(1), {}, 2);
  send(aut, thread_loaded{{}, std::make_shared<failure>(disk_full())});
  CAF_CHECK(requester->last<turn_failed>().why.kind == error_kind::storage_unavailable);
  // The next one does not need the whole.
  say("next");
  CAF_CHECK_EQUAL(journal->count<load_thread>(), 2u);
  CAF_CHECK_EQUAL(orders(), 1u);
}

CAF_TEST(a whole thread that the journal has no time for fails its turn) {
  options.limits = {3, 0};
  start();
  ask(R"([{"role":"user","content":"a"},{"role":"assistant","content":"b"},
          {"role":"user","content":"c"}])");
  auto full = fill_queue();
  load(turns(1), {}, 2);
  CAF_CHECK_EQUAL(journal->count<load_thread>(), 1u);
  CAF_CHECK(requester->last<turn_failed>().why.kind == error_kind::storage_unavailable);
  full.reset();
  say("next");
  CAF_CHECK_EQUAL(journal->count<load_thread>(), 1u);
  CAF_CHECK_EQUAL(orders(), 1u);
}

CAF_TEST(a turn that leaves while the whole thread is loaded leaves nothing behind) {
  options.limits = {3, 0};
  start();
  const auto id = ask(R"([{"role":"user","content":"a"},{"role":"assistant","content":"b"},
                          {"role":"user","content":"c"}])");
  load(turns(1), {}, 2);
  cancel(id);
  load(turns(2));
  CAF_CHECK_EQUAL(orders(), 0u);
  CAF_CHECK(requester->last<turn_failed>().why.kind == error_kind::client_gone);
  say("next");
  CAF_CHECK_EQUAL(orders(), 1u);
}

CAF_TEST_FIXTURE_SCOPE_END()
