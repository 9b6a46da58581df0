#define CAF_SUITE history
#include "tests/test.hpp"

#include "actors/history.hpp"

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

const thread_key key{"tenant", "thread"};

message_ptr user(const std::string& text) {
  return message("user", text);
}

message_ptr assistant(const std::string& text) {
  return message("assistant", text);
}

const message_list old_turn{user("one"), assistant("1")};

history whole(message_list messages = old_turn, message_list instructions = {}) {
  return history{{5, std::move(instructions), std::move(messages), 0}};
}

history part(std::size_t skipped) {
  return history{{5, {}, old_turn, skipped}};
}

/// The texts of a thread's prompt with nothing new but `text`.
std::string shown(const history& x, const std::string& text) {
  return texts_of(x.plan({}, {user(text)}, {}).shown.messages);
}

} // namespace

CAF_TEST(what is new follows what is there) {
  const auto plan = whole().plan({}, {user("two")}, {});
  CAF_CHECK_EQUAL(plan.keep, 2u);
  CAF_CHECK(!plan.instructions);
  CAF_CHECK_EQUAL(texts_of(plan.fresh), texts_of({user("two")}));
  CAF_CHECK_EQUAL(texts_of(plan.shown.messages),
                  texts_of({user("one"), assistant("1"), user("two")}));
  CAF_CHECK_EQUAL(plan.shown.size.used, 3u);
  CAF_CHECK_EQUAL(plan.shown.size.total, 3u);
}

CAF_TEST(an edit drops what followed) {
  const auto x = whole({user("one"), assistant("1"), user("two"), assistant("2")});
  const auto plan = x.plan({}, {user("one"), assistant("1"), user("other")}, {});
  CAF_CHECK_EQUAL(plan.keep, 2u);
  CAF_CHECK_EQUAL(plan.fresh.size(), 1u);
  CAF_CHECK_EQUAL(plan.shown.size.total, 3u);
}

CAF_TEST(a thread that is not there begins with its first turn) {
  const auto plan = history{}.plan({message("system", "s")}, {user("one")}, {});
  CAF_CHECK_EQUAL(plan.keep, 0u);
  CAF_REQUIRE(plan.instructions);
  CAF_CHECK_EQUAL(plan.shown.messages.size(), 2u);
  CAF_CHECK_EQUAL(history{}.record(plan, key, assistant("1")).version, 0u);
}

CAF_TEST(instructions are new only if they differ) {
  const auto system = message("system", "be brief");
  const auto x = whole(old_turn, {system});
  CAF_CHECK(!x.plan({}, {user("two")}, {}).instructions);
  CAF_CHECK(!x.plan({message("system", "be brief")}, {user("two")}, {}).instructions);
  CAF_CHECK(x.plan({message("system", "be long")}, {user("two")}, {}).instructions);
  CAF_CHECK(x.plan({system, system}, {user("two")}, {}).instructions);
  CAF_CHECK(shown(x, "two").find("be brief") != std::string::npos);
}

CAF_TEST(what was not loaded is kept and counts) {
  const auto x = part(10);
  const auto plan = x.plan({}, {user("two")}, {});
  CAF_CHECK_EQUAL(plan.keep, 12u);
  CAF_CHECK_EQUAL(plan.shown.size.used, 3u);
  CAF_CHECK_EQUAL(plan.shown.size.total, 13u);
  CAF_CHECK_EQUAL(x.record(plan, key, assistant("2")).keep, 12u);
}

CAF_TEST(a part is enough for a client that sends only what is new) {
  const message_list fresh{user("two")};
  const message_list resent{user("one"), assistant("1"), user("two")};
  CAF_CHECK(part(1).is_enough_for(fresh));
  CAF_CHECK(!part(1).is_enough_for(resent));
  CAF_CHECK(whole().is_enough_for(resent));
  CAF_CHECK(history{}.is_enough_for(resent));
  // Answers of tools are new.
  CAF_CHECK(
      part(1).is_enough_for(messages_of(R"([{"role":"tool","tool_call_id":"c","content":"4"}])")));
}

CAF_TEST(a plan can be shown again with other limits) {
  const auto x = whole({user("one"), assistant("1"), user("two"), assistant("2")});
  const auto plan = x.plan({}, {user("three")}, {});
  CAF_CHECK_EQUAL(plan.shown.messages.size(), 5u);
  const auto less = x.show(plan, {3, 0});
  CAF_CHECK_EQUAL(texts_of(less.messages), texts_of({user("two"), assistant("2"), user("three")}));
  CAF_CHECK_EQUAL(less.size.used, 3u);
  CAF_CHECK_EQUAL(less.size.total, 5u);
}

CAF_TEST(a turn is stored with its answer last) {
  const auto x = whole();
  const auto plan = x.plan({message("system", "s")}, {user("two"), user("three")}, {});
  const auto record = x.record(plan, key, assistant("2"));
  CAF_CHECK(record.key == key);
  CAF_CHECK_EQUAL(record.version, 5u);
  CAF_CHECK_EQUAL(record.keep, 2u);
  CAF_REQUIRE(record.instructions);
  CAF_CHECK_EQUAL(record.instructions->size(), 1u);
  CAF_CHECK_EQUAL(texts_of(record.messages),
                  texts_of({user("two"), user("three"), assistant("2")}));
  CAF_CHECK(record.answer.empty());
}

CAF_TEST(a stored turn is part of the thread) {
  auto x = whole();
  const auto plan = x.plan({message("system", "s")}, {user("two")}, {});
  x.apply(plan, assistant("2"));
  CAF_CHECK_EQUAL(shown(x, "three"), texts_of({message("system", "s"), user("one"), assistant("1"),
                                               user("two"), assistant("2"), user("three")}));
  CAF_CHECK_EQUAL(x.record(x.plan({}, {user("three")}, {}), key, assistant("3")).version, 6u);
}

CAF_TEST(a stored edit takes away what it replaced) {
  auto x = history{{5, {}, {user("one"), assistant("1"), user("two"), assistant("2")}, 0}};
  x.apply(x.plan({}, {user("one"), assistant("1"), user("other")}, {}), assistant("2'"));
  CAF_CHECK_EQUAL(shown(x, "next"), texts_of({user("one"), assistant("1"), user("other"),
                                              assistant("2'"), user("next")}));
}

CAF_TEST(a stored turn of a thread loaded in part keeps what was skipped) {
  auto x = part(10);
  x.apply(x.plan({}, {user("two")}, {}), assistant("2"));
  const auto plan = x.plan({}, {user("three")}, {});
  CAF_CHECK_EQUAL(plan.keep, 14u);
  CAF_CHECK_EQUAL(plan.shown.size.total, 15u);
}

CAF_TEST(memory is counted as messages come and go) {
  const std::string text(1000, 'x');
  CAF_CHECK_EQUAL(history{}.bytes(), 0u);
  auto x = whole({user(text), assistant(text)}, {message("system", text)});
  const auto before = x.bytes();
  CAF_CHECK_GREATER(before, 3000u);
  x.apply(x.plan({}, {user(text)}, {}), assistant(text));
  CAF_CHECK_GREATER(x.bytes(), before + 2000);
  CAF_CHECK_LESS(x.bytes(), before + 4000);
  x.apply(x.plan({}, {user(text), assistant(text), user("other")}, {}), assistant("short"));
  CAF_CHECK_LESS(x.bytes(), before + 1500);
  CAF_CHECK_GREATER(x.bytes(), before);
  const auto with_instructions = x.bytes();
  x.apply(x.plan({message("system", "brief")}, {user("a")}, {}), assistant("b"));
  CAF_CHECK_LESS(x.bytes(), with_instructions);
}

CAF_TEST(memory does not drift) {
  const std::string text(500, 'x');
  auto x = whole({user("one"), assistant(text)});
  const auto before = x.bytes();
  for (int i = 0; i < 50; ++i)
    x.apply(x.plan({}, {user("one"), assistant(text), user("again")}, {}), assistant(text));
  const auto after = x.bytes();
  CAF_CHECK_LESS(after, before + 2000);
  const auto reloaded =
      history{{5, {}, {user("one"), assistant(text), user("again"), assistant(text)}, 0}};
  CAF_CHECK_EQUAL(after, reloaded.bytes());
}
