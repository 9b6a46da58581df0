/// Clearing away: it ends, and what others have stays.
#define CAF_SUITE store_sweep
#include "tests/store/contract.hpp"

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

constexpr unix_ms old = 1000;
constexpr unix_ms now = 5000;

const digest request{7, 8};

/// One more turn, with an answer for retries.
void answer(bench& x, const thread_key& key, unix_ms at, const std::string& text = "answer",
            const digest& of = request) {
  const auto before = x.load(key);
  turn_record turn{.key = key,
                   .version = before.version,
                   .keep = before.history.size(),
                   .messages = talk("u1 a1"),
                   .at = at};
  turn.request = of;
  turn.answer = text;
  CAF_CHECK_EQUAL(x.commit(turn), "nothing");
}

/// Sweeps until nothing is left to do. Returns how many steps that took.
int sweep(bench& x, unix_ms replays_before = 0) {
  int steps = 1;
  while (x.store().sweep(replays_before))
    if (++steps > 1000)
      CAF_FAIL("sweeping never ends");
  return steps;
}

std::string replay(bench& x, const thread_key& key) {
  return x.replay({key, request});
}

} // namespace

CAF_TEST(a thread goes although its older answers were swept) {
  on_every_engine([](bench& x) {
    answer(x, alice, old);
    answer(x, alice, old);
    sweep(x, now);
    answer(x, alice, now); // takes a number that was free again
    x.commit(delete_thread{alice});
    CAF_CHECK_LESS(sweep(x), 10);
    CAF_CHECK_EQUAL(text_of(x.ask(find_thread{alice})), "nothing");
    CAF_CHECK_EQUAL(replay(x, alice), "answer ''");
  });
}

CAF_TEST(a thread goes although numbers of its answers belong to others now) {
  on_every_engine([](bench& x) {
    for (int i = 0; i < 3; ++i)
      answer(x, alice, old);
    sweep(x, now);
    answer(x, bob, now, "first of bob");
    answer(x, alice, now, "of alice");
    answer(x, bob, now, "of bob");
    x.commit(delete_thread{alice});
    CAF_CHECK_LESS(sweep(x), 10);
    CAF_CHECK_EQUAL(replay(x, bob), "answer 'of bob'");
    CAF_CHECK_EQUAL(x.history(bob), "u1 a1 u1 a1");
    // Nor does anything of it come back with the next thread.
    answer(x, alice, now, "of another alice", {9, 9});
    CAF_CHECK_EQUAL(replay(x, alice), "answer ''");
  });
}

CAF_TEST(a thread goes whose answers were all swept) {
  on_every_engine([](bench& x) {
    answer(x, alice, old);
    answer(x, alice, old);
    sweep(x, now);
    x.commit(delete_thread{alice});
    CAF_CHECK_LESS(sweep(x), 10);
    answer(x, bob, now);
    x.commit(delete_thread{bob});
    CAF_CHECK_LESS(sweep(x, now + 1), 10);
  });
}

CAF_TEST(sweeping ends whatever came between deletions) {
  on_every_engine([](bench& x) {
    x.stay_open();
    // Every order of answering, sweeping and deleting, of two threads.
    for (int order = 0; order < 3 * 3 * 3 * 3 * 3; ++order) {
      for (int rest = order, i = 0; i < 5; ++i, rest /= 3) {
        const auto& key = i % 2 ? bob : alice;
        if (rest % 3 == 0)
          answer(x, key, old);
        else if (rest % 3 == 1)
          sweep(x, now);
        else
          x.commit(delete_thread{key, 0, true});
      }
      x.commit(delete_thread{alice, 0, true});
      const bool has_bob = !x.history(bob).empty();
      CAF_REQUIRE_LESS(sweep(x), 10);
      CAF_REQUIRE_EQUAL(!x.history(bob).empty(), has_bob);
      x.commit(delete_thread{bob, 0, true});
    }
  });
}

CAF_TEST(what others have stays) {
  on_every_engine([](bench& x) {
    for (const auto& key : {alice, bob, alice_2})
      x.commit(turn_record{
          .key = key, .instructions = talk("s1"), .messages = talk("u1 a1"), .at = now});
    for (const auto& key : {alice, bob, alice_2}) {
      x.add(key, "u2 a2", now, 1);
      answer(x, key, now, "answer of " + key.thread);
    }
    const auto before = text_of(x.ask(read_thread{{.key = bob, .superseded = true}}));
    x.commit(delete_thread{alice});
    x.commit(delete_thread{alice_2});
    sweep(x);
    CAF_CHECK_EQUAL(text_of(x.ask(read_thread{{.key = bob, .superseded = true}})), before);
    CAF_CHECK_EQUAL(replay(x, bob), "answer 'answer of 1'");
    CAF_CHECK_EQUAL(x.history(bob), "u1 u2 a2 u1 a1");
  });
}

CAF_TEST(a long thread goes in steps and the store works meanwhile) {
  on_every_engine([](bench& x) {
    x.stay_open();
    for (int i = 0; i < 4; ++i) {
      turn_record turn{.key = alice, .version = static_cast<std::uint64_t>(i)};
      turn.keep = x.load(alice).history.size();
      for (int n = 0; n < 400; ++n)
        turn.messages.push_back(message("user", "u"));
      x.commit(turn);
    }
    x.commit(delete_thread{alice});
    int steps = 0;
    while (x.store().sweep(0)) {
      if (++steps > 2000)
        CAF_FAIL("sweeping never ends");
      // A new thread of the same name is another one.
      if (steps <= 3)
        x.add(alice, "u" + std::to_string(steps));
    }
    CAF_CHECK_EQUAL(x.history(alice), steps >= 3 ? "u1 u2 u3" : "");
  });
}

CAF_TEST(discarded imports are swept) {
  on_every_engine([](bench& x) {
    x.stay_open();
    for (const auto* name : {"i", "j"})
      x.commit(import_messages{name, {{0, 1, false, message("user", "u1")}}});
    x.commit(discard_import{"i"});
    CAF_CHECK_LESS(sweep(x), 10);
    x.commit(finish_import{"j", alice, {}, 1}); // that one is still under way
    CAF_CHECK_EQUAL(x.history(alice), "u1");
  });
}

CAF_TEST(nothing to clear away is told at once) {
  on_every_engine([](bench& x) {
    CAF_CHECK(!x.store().sweep(now));
    answer(x, alice, now);
    CAF_CHECK(!x.store().sweep(now));
    CAF_CHECK(!x.store().sweep(0));
    CAF_CHECK_EQUAL(replay(x, alice), "answer 'answer'");
  });
}
