/// Turns: how they are stored, loaded, and answered again.
#define CAF_SUITE store_contract
#include "tests/store/contract.hpp"

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

const digest request_1{1, 2};
const digest request_2{1, 3};

turn_record turn(const thread_key& key, std::uint64_t version, std::size_t keep,
                 const std::string& words) {
  return {.key = key, .version = version, .keep = keep, .messages = talk(words), .at = 1000};
}

/// A turn of an unknown thread, with an answer for retries.
turn_record answered(const thread_key& key, const digest& request, const std::string& idempotency,
                     unix_ms at, const std::string& answer) {
  auto out = turn(key, 0, 0, "u1 a1");
  out.request = request;
  out.idempotency_key = idempotency;
  out.at = at;
  out.answer = answer;
  return out;
}

bool fails(bench& x, const std::vector<store_change>& changes) {
  try {
    x.store().commit(changes);
  } catch (const store::storage_error&) {
    return true;
  }
  return false;
}

const std::string no_answer = "answer ''";
const std::string conflict = "conflict answer ''";

} // namespace

CAF_TEST(an unknown thread is empty) {
  on_every_engine([](bench& x) {
    CAF_CHECK_EQUAL(text_of(x.load(alice)), text_of(thread_record{}));
    CAF_CHECK_EQUAL(x.load(alice).version, 0u);
  });
}

CAF_TEST(turns are appended in order and change the version) {
  on_every_engine([](bench& x) {
    CAF_CHECK_EQUAL(x.commit(turn(alice, 0, 0, "u1 a1")), "nothing");
    CAF_CHECK_EQUAL(x.commit(turn(alice, 1, 2, "u2 a2")), "nothing");
    CAF_CHECK_EQUAL(x.history(alice), "u1 a1 u2 a2");
    CAF_CHECK_EQUAL(x.load(alice).version, 2u);
  });
}

CAF_TEST(a message comes back with all it had) {
  on_every_engine([](bench& x) {
    chat_message m{.who = role::tool, .json = R"({"role":"tool","content":"Grüße \"\\\u0000'%"})"};
    m.reasoning = R"("why")";
    m.id = {~std::uint64_t{0}, std::uint64_t{1} << 63};
    m.calls = {"call_1", "", "call,2"};
    m.answers = "call_9";
    m.empty = true;
    m.tokens = ~std::uint32_t{0};
    const message_list messages{std::make_shared<const chat_message>(m), message("user", "")};
    x.commit(turn_record{.key = alice, .messages = messages});
    CAF_CHECK_EQUAL(text_of(x.load(alice).history), text_of(messages));
    CAF_CHECK_EQUAL(x.info(alice).tokens, messages[0]->tokens + std::uint64_t{messages[1]->tokens});
  });
}

CAF_TEST(what a turn does not keep is superseded and keeps its number) {
  on_every_engine([](bench& x) {
    x.add(alice, "u1 a1 u2 a2");
    x.add(alice, "a3", 1000, 3);
    CAF_CHECK_EQUAL(x.history(alice), "u1 a1 u2 a3");
    x.add(alice, "u4 a4", 1000, 0);
    CAF_CHECK_EQUAL(x.history(alice), "u4 a4");
    CAF_CHECK_EQUAL(x.all_messages(alice), "1:u1- 2:a1- 3:u2- 4:a2- 5:a3- 6:u4 7:a4");
    CAF_CHECK_EQUAL(x.info(alice).messages, 2u);
    CAF_CHECK_EQUAL(x.info(alice).turns, 3u);
  });
}

CAF_TEST(a turn of another version is refused) {
  on_every_engine([](bench& x) {
    CAF_CHECK_EQUAL(x.commit(turn(alice, 1, 0, "u1")), "refused: thread_changed");
    CAF_CHECK_EQUAL(text_of(x.ask(find_thread{alice})), "nothing");
    x.add(alice, "u1 a1");
    CAF_CHECK_EQUAL(x.commit(turn(alice, 0, 0, "u2")), "refused: thread_changed");
    CAF_CHECK_EQUAL(x.commit(turn(alice, 2, 9, "u2")), "refused: thread_changed");
    CAF_CHECK_EQUAL(x.history(alice), "u1 a1");
    CAF_CHECK_EQUAL(x.load(alice).version, 1u);
  });
}

CAF_TEST(instructions hold until a turn brings others) {
  on_every_engine([](bench& x) {
    auto first = turn(alice, 0, 0, "u1");
    first.instructions = talk("s1 s2");
    x.commit(first);
    x.commit(turn(alice, 1, 1, "u2"));
    CAF_CHECK_EQUAL(words_of(x.load(alice).instructions), "s1 s2");
    auto third = turn(alice, 2, 2, "u3");
    third.instructions = talk("s3");
    x.commit(third);
    CAF_CHECK_EQUAL(words_of(x.load(alice).instructions), "s3");
    auto fourth = turn(alice, 3, 3, "u4");
    fourth.instructions = message_list{};
    x.commit(fourth);
    CAF_CHECK_EQUAL(words_of(x.load(alice).instructions), "");
    CAF_CHECK_EQUAL(x.history(alice), "u1 u2 u3 u4");
  });
}

CAF_TEST(threads and tenants are kept apart) {
  on_every_engine([](bench& x) {
    x.add(alice, "u1");
    x.add(alice_2, "u2");
    x.add(bob, "u3");
    CAF_CHECK_EQUAL(x.history(alice), "u1");
    CAF_CHECK_EQUAL(x.history(alice_2), "u2");
    CAF_CHECK_EQUAL(x.history(bob), "u3");
    CAF_CHECK_EQUAL(x.history({"1", "alice"}), "");
    CAF_CHECK_EQUAL(x.history({"Alice", "1"}), "");
  });
}

CAF_TEST(what was loaded does not change later) {
  on_every_engine([](bench& x) {
    x.add(alice, "u1 a1");
    const auto before = x.load(alice);
    x.add(alice, "u2", 1000, 0);
    CAF_CHECK_EQUAL(words_of(before.history), "u1 a1");
  });
}

CAF_TEST(only the newest turns that can fit are loaded) {
  on_every_engine([](bench& x) {
    x.add(alice, "u1 a1 u2 a2");
    x.add(alice, "u3 u4 a3");
    const auto with = [&](std::size_t messages) {
      const auto found = x.load(alice, {messages, 0});
      return std::to_string(found.skipped) + ": " + words_of(found.history);
    };
    CAF_CHECK_EQUAL(with(0), "0: u1 a1 u2 a2 u3 u4 a3");
    CAF_CHECK_EQUAL(with(8), "0: u1 a1 u2 a2 u3 u4 a3");
    CAF_CHECK_EQUAL(with(6), "2: u2 a2 u3 u4 a3");
    CAF_CHECK_EQUAL(with(5), "2: u2 a2 u3 u4 a3");
    CAF_CHECK_EQUAL(with(4), "4: u3 u4 a3");
    CAF_CHECK_EQUAL(with(1), "4: u3 u4 a3"); // a whole turn, whatever the limit
    CAF_CHECK_EQUAL(words_of(x.load(alice, {0, 1}).history), "u3 u4 a3");
    CAF_CHECK_EQUAL(x.load(alice, {0, 1'000'000}).skipped, 0u);
  });
}

CAF_TEST(what a turn does not keep counts from the beginning of the whole thread) {
  on_every_engine([](bench& x) {
    x.add(alice, "u1 a1 u2 a2 u3 a3");
    CAF_CHECK_EQUAL(x.load(alice, {2, 0}).skipped, 4u);
    x.commit(turn(alice, 1, 5, "a4"));
    CAF_CHECK_EQUAL(x.history(alice), "u1 a1 u2 a2 u3 a4");
    CAF_CHECK_EQUAL(words_of(x.load(alice, {2, 0}).history), "u3 a4");
  });
}

CAF_TEST(changes of one commit see each other) {
  on_every_engine([](bench& x) {
    const auto results =
        x.commit_all({turn(alice, 0, 0, "u1"), turn(alice, 0, 0, "u2"), turn(alice, 1, 1, "u3"),
                      delete_thread{bob}, turn(bob, 0, 0, "u4")});
    CAF_CHECK_EQUAL(text_of(results[0]), "nothing");
    CAF_CHECK_EQUAL(text_of(results[1]), "refused: thread_changed");
    CAF_CHECK_EQUAL(text_of(results[2]), "nothing");
    CAF_CHECK_EQUAL(text_of(results[3]), "refused: no_thread");
    CAF_CHECK_EQUAL(x.history(alice), "u1 u3");
    CAF_CHECK_EQUAL(x.history(bob), "u4");
  });
}

CAF_TEST(an empty commit does nothing) {
  on_every_engine([](bench& x) { CAF_CHECK(x.commit_all({}).empty()); });
}

CAF_TEST(a commit that fails changes nothing) {
  on_every_engine([](bench& x) {
    x.stay_open();
    auto first = answered(alice, request_1, "k", 1000, "first");
    first.instructions = talk("s1");
    x.commit(first);
    x.commit(change_metadata{alice, {{"name", "value"}}});
    x.add(alice_2, "u1 a1");
    x.commit(import_messages{"import", {{0, 5, false, message("user", "i1")}}});
    const auto before = text_of(x.ask(find_thread{alice}));

    auto edit = turn(alice, 1, 1, "a9");
    edit.instructions = talk("s9");
    CAF_CHECK(
        fails(x, {edit, change_metadata{alice, {{"name", {}}}},
                  fork_thread{alice, {"alice", "3"}, {}, 2000}, delete_thread{alice},
                  answered({"alice", "4"}, request_2, "l", 3000, "second"),
                  import_messages{"import", {{0, 5, false, message("user", "i2")}}},
                  import_messages{"other", {{0, 5, false, message("user", "i3")}}},
                  finish_import{"import", {"alice", "5"}, {}}, turn({"alice", "5"}, 1, 0, "u7"),
                  discard_import{"other"}, turn(alice_2, 1, 3, "u2")}));

    CAF_CHECK_EQUAL(text_of(x.ask(find_thread{alice})), before);
    CAF_CHECK_EQUAL(x.all_messages(alice), "1:u1 2:a1");
    CAF_CHECK_EQUAL(x.history(alice), "u1 a1");
    CAF_CHECK_EQUAL(x.threads({.tenant = "alice", .ascending = true}), "1 2");
    CAF_CHECK_EQUAL(x.replay({alice, request_1, "k"}), "answer 'first'");
    CAF_CHECK_EQUAL(x.replay({{"alice", "4"}, request_2, "l"}), no_answer);
    x.commit(finish_import{"import", {"alice", "6"}, {}});
    CAF_CHECK_EQUAL(x.all_messages({"alice", "6"}), "1:i1");
  });
}

// -- answers for retries --------------------------------------------------------------------------

CAF_TEST(a retry with its key finds the answer) {
  on_every_engine([](bench& x) {
    x.commit(answered(alice, request_1, "k", 1000, R"({"text":"Grüße"})"));
    CAF_CHECK_EQUAL(x.replay({alice, request_1, "k", 1000}), R"(answer '{"text":"Grüße"}')");
    CAF_CHECK_EQUAL(x.replay({alice, request_1, "k", 1001}), no_answer);
    CAF_CHECK_EQUAL(x.replay({alice, request_1, "K"}), no_answer);
    CAF_CHECK_EQUAL(x.replay({bob, request_1, "k"}), no_answer);
    CAF_CHECK_EQUAL(x.replay({alice, request_2, "k"}), conflict);
    CAF_CHECK_EQUAL(x.replay({alice_2, request_1, "k"}), conflict);
    CAF_CHECK_EQUAL(x.replay({alice_2, request_1, "k", 1001}), no_answer);
  });
}

CAF_TEST(a retry without a key finds the newest answer of its thread) {
  on_every_engine([](bench& x) {
    x.commit(answered(alice, request_1, "", 1000, "first"));
    auto second = answered(alice, request_1, "k", 2000, "second");
    second.version = 1;
    x.commit(second);
    auto third = answered(alice, request_2, "", 3000, "third");
    third.version = 2;
    x.commit(third);
    CAF_CHECK_EQUAL(x.replay({alice, request_1}), "answer 'second'");
    CAF_CHECK_EQUAL(x.replay({alice, request_2}), "answer 'third'");
    CAF_CHECK_EQUAL(x.replay({alice, request_1, "", 2000}), "answer 'second'");
    CAF_CHECK_EQUAL(x.replay({alice, request_1, "", 2001}), no_answer);
    CAF_CHECK_EQUAL(x.replay({alice_2, request_1}), no_answer);
    CAF_CHECK_EQUAL(x.replay({bob, request_1}), no_answer);
  });
}

CAF_TEST(a key is used once until it is old) {
  on_every_engine([](bench& x) {
    x.commit(answered(alice, request_1, "k", 1000, "first"));
    auto again = answered(alice_2, request_1, "k", 2000, "second");
    again.key_since = 1000;
    CAF_CHECK_EQUAL(x.commit(again), "refused: key_used");
    CAF_CHECK_EQUAL(text_of(x.ask(find_thread{alice_2})), "nothing");
    again.key_since = 1001;
    CAF_CHECK_EQUAL(x.commit(again), "nothing");
    CAF_CHECK_EQUAL(x.replay({alice_2, request_1, "k"}), "answer 'second'");
    CAF_CHECK_EQUAL(x.replay({alice, request_1, "k"}), conflict);
    // Other tenants have keys of their own.
    CAF_CHECK_EQUAL(x.commit(answered(bob, request_1, "k", 2000, "third")), "nothing");
  });
}

CAF_TEST(a turn without an answer or without a key uses no key) {
  on_every_engine([](bench& x) {
    CAF_CHECK_EQUAL(x.commit(answered(alice, request_1, "k", 1000, "")), "nothing");
    CAF_CHECK_EQUAL(x.replay({alice, request_1, "k"}), no_answer);
    CAF_CHECK_EQUAL(x.replay({alice, request_1}), no_answer);
    CAF_CHECK_EQUAL(x.commit(answered(alice_2, request_1, "", 1000, "a")), "nothing");
    CAF_CHECK_EQUAL(x.commit(answered(bob, request_1, "", 1000, "a")), "nothing");
    CAF_CHECK_EQUAL(x.commit(answered({"alice", "3"}, request_1, "k", 1000, "b")), "nothing");
  });
}

CAF_TEST(sweeping drops old answers in small steps) {
  on_every_engine([](bench& x) {
    std::vector<store_change> changes;
    for (int i = 0; i < 501; ++i)
      changes.push_back(answered({"alice", std::to_string(i)}, request_1, "", 1000 + i, "a"));
    changes.push_back(answered(bob, request_1, "k", 2000, "new"));
    x.commit_all(changes);

    CAF_CHECK(x.store().sweep(2000));
    CAF_CHECK_EQUAL(x.replay({{"alice", "500"}, request_1}), "answer 'a'");
    while (x.store().sweep(2000)) {
    }
    CAF_CHECK_EQUAL(x.replay({{"alice", "0"}, request_1}), no_answer);
    CAF_CHECK_EQUAL(x.replay({{"alice", "500"}, request_1}), no_answer);
    CAF_CHECK_EQUAL(x.replay({bob, request_1, "k"}), "answer 'new'");
    CAF_CHECK_EQUAL(x.history({"alice", "0"}), "u1 a1");
  });
}
