/// What the thread API asks of a store: lists, deleting, forks, metadata, imports.
#define CAF_SUITE store_threads
#include "tests/store/contract.hpp"

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

stored_message imported(const std::string& word, unix_ms created, bool superseded = false) {
  return {77, created, superseded, talk(word).front()}; // the number is of no interest
}

std::string short_expired(bench& x, const find_expired& query) {
  return text_of(x.ask(query));
}

/// Three threads of one tenant, and one of another.
void fill(bench& x) {
  x.add({"alice", "c"}, "u1", 1000);
  x.add({"alice", "a"}, "u2", 2000);
  x.add({"bob", "a"}, "u3", 2500);
  x.add({"alice", "b"}, "u4", 3000);
}

} // namespace

CAF_TEST(a thread tells about itself) {
  on_every_engine([](bench& x) {
    CAF_CHECK_EQUAL(text_of(x.ask(find_thread{alice})), "nothing");
    turn_record first{
        .key = alice, .instructions = talk("s1"), .messages = talk("u1 a1"), .at = 1000};
    x.commit(first);
    x.add(alice, "u2 a2", 2000);
    x.add(alice, "a3", 3000, 3);
    const auto info = x.info(alice);
    CAF_CHECK_EQUAL(info.id, "1");
    CAF_CHECK_EQUAL(info.created, 1000);
    CAF_CHECK_EQUAL(info.updated, 3000);
    CAF_CHECK_EQUAL(info.turns, 3u);
    CAF_CHECK_EQUAL(info.messages, 4u);
    std::uint64_t tokens = 0;
    for (const auto& m : x.load(alice).history)
      tokens += m->tokens;
    CAF_CHECK_EQUAL(info.tokens, tokens);
    CAF_CHECK(info.metadata.empty());
    CAF_CHECK_EQUAL(words_of(info.instructions), "s1");
  });
}

// -- lists ----------------------------------------------------------------------------------------

CAF_TEST(threads are listed in order of creation) {
  on_every_engine([](bench& x) {
    fill(x);
    x.add({"alice", "c"}, "u5", 4000); // does not move it
    CAF_CHECK_EQUAL(x.threads({.tenant = "alice", .ascending = true}), "c a b");
    CAF_CHECK_EQUAL(x.threads({.tenant = "alice"}), "b a c");
    CAF_CHECK_EQUAL(x.threads({.tenant = "bob"}), "a");
    CAF_CHECK_EQUAL(x.threads({.tenant = "carol"}), "");
    CAF_CHECK_EQUAL(x.commit(delete_thread{{"alice", "c"}}), "nothing");
    x.add({"alice", "c"}, "u6", 500);
    CAF_CHECK_EQUAL(x.threads({.tenant = "alice", .ascending = true}), "a b c");
  });
}

CAF_TEST(pages of threads) {
  on_every_engine([](bench& x) {
    fill(x);
    const auto page = [&](std::size_t limit, bool ascending, const char* after) {
      return x.threads({"alice", limit, ascending, after});
    };
    CAF_CHECK_EQUAL(page(2, true, ""), "c a +");
    CAF_CHECK_EQUAL(page(2, true, "a"), "b");
    CAF_CHECK_EQUAL(page(1, true, "c"), "a +");
    CAF_CHECK_EQUAL(page(3, true, ""), "c a b");
    CAF_CHECK_EQUAL(page(3, true, "b"), "");
    CAF_CHECK_EQUAL(page(1, false, "b"), "a +");
    CAF_CHECK_EQUAL(page(2, false, "b"), "a c");
    CAF_CHECK_EQUAL(page(2, false, "c"), "");
    CAF_CHECK_EQUAL(page(2, true, "x"), "nothing");
    CAF_CHECK_EQUAL(x.threads({"bob", 2, true, "b"}), "nothing");
  });
}

CAF_TEST(lists of threads leave out instructions) {
  on_every_engine([](bench& x) {
    x.commit(turn_record{.key = alice, .instructions = talk("s1"), .messages = talk("u1")});
    auto expected = x.info(alice);
    expected.instructions.clear();
    CAF_CHECK_EQUAL(text_of(x.ask(list_threads{"alice"})),
                    text_of(page<thread_info>{{expected}, false}));
  });
}

CAF_TEST(messages are listed in order of storage) {
  on_every_engine([](bench& x) {
    x.add(alice, "u1 a1 u2 a2", 1000);
    x.add(alice, "a3", 2000, 3);
    CAF_CHECK_EQUAL(x.messages({.key = alice}), "1:u1 2:a1 3:u2 5:a3");
    CAF_CHECK_EQUAL(x.messages({.key = alice, .ascending = false}), "5:a3 3:u2 2:a1 1:u1");
    CAF_CHECK_EQUAL(x.messages({.key = alice, .superseded = true}), "1:u1 2:a1 3:u2 4:a2- 5:a3");
    CAF_CHECK_EQUAL(x.messages({.key = alice, .ascending = false, .superseded = true}),
                    "5:a3 4:a2- 3:u2 2:a1 1:u1");
    CAF_CHECK_EQUAL(x.messages({.key = alice_2}), "nothing");
    const stored_message first{1, 1000, false, message("user", "u1")};
    CAF_CHECK_EQUAL(text_of(x.ask(list_messages{.key = alice, .limit = 1})),
                    text_of(page<stored_message>{{first}, true}));
    const stored_message last{5, 2000, false, message("assistant", "a3")};
    CAF_CHECK_EQUAL(text_of(x.ask(list_messages{.key = alice, .after = 4})),
                    text_of(page<stored_message>{{last}, false}));
  });
}

CAF_TEST(pages of messages) {
  on_every_engine([](bench& x) {
    x.add(alice, "u1 a1 u2 a2");
    x.add(alice, "a3", 1000, 3);
    const auto page = [&](std::size_t limit, bool ascending, std::uint64_t after,
                          bool superseded = false) {
      return x.messages({alice, limit, ascending, after, superseded, 0});
    };
    CAF_CHECK_EQUAL(page(2, true, 0), "1:u1 2:a1 +");
    CAF_CHECK_EQUAL(page(2, true, 2), "3:u2 5:a3");
    CAF_CHECK_EQUAL(page(1, true, 2, true), "3:u2 +");
    CAF_CHECK_EQUAL(page(2, true, 4), "5:a3"); // of a superseded one
    CAF_CHECK_EQUAL(page(2, true, 5), "");
    CAF_CHECK_EQUAL(page(2, true, ~std::uint64_t{0}), "");
    CAF_CHECK_EQUAL(page(2, false, ~std::uint64_t{0}), "5:a3 3:u2 +");
    CAF_CHECK_EQUAL(page(2, false, 5, true), "4:a2- 3:u2 +");
    CAF_CHECK_EQUAL(page(2, false, 3), "2:a1 1:u1");
    CAF_CHECK_EQUAL(page(2, false, 0), "");
  });
}

CAF_TEST(a page of messages ends when it has so many bytes) {
  on_every_engine([](bench& x) {
    x.add(alice, "u1 u2 u3");
    const auto size = message("user", "u1")->json.size();
    const auto page = [&](std::size_t bytes, bool ascending = true) {
      return x.messages({.key = alice, .ascending = ascending, .max_bytes = bytes});
    };
    CAF_CHECK_EQUAL(page(1), "1:u1 +");
    CAF_CHECK_EQUAL(page(size), "1:u1 +");
    CAF_CHECK_EQUAL(page(size + 1), "1:u1 2:u2 +");
    CAF_CHECK_EQUAL(page(size, false), "3:u3 +");
    CAF_CHECK_EQUAL(page(3 * size), "1:u1 2:u2 3:u3");
    CAF_CHECK_EQUAL(page(9 * size), "1:u1 2:u2 3:u3");
  });
}

CAF_TEST(expired threads are looked for a few at a time) {
  on_every_engine([](bench& x) {
    fill(x);
    x.add({"alice", "d"}, "u5", 1000);
    CAF_CHECK_EQUAL(short_expired(x, {"alice", 2000, "", 9}), "expired, on after '': c d");
    CAF_CHECK_EQUAL(short_expired(x, {"alice", 2001, "", 4}), "expired, on after '': c a d");
    CAF_CHECK_EQUAL(short_expired(x, {"alice", 2000, "", 2}), "expired, on after 'a': c");
    CAF_CHECK_EQUAL(short_expired(x, {"alice", 2000, "a", 1}), "expired, on after 'b':");
    CAF_CHECK_EQUAL(short_expired(x, {"alice", 2000, "b", 1}), "expired, on after '': d");
    CAF_CHECK_EQUAL(short_expired(x, {"alice", 2000, "gone", 1}), "expired, on after '':");
    CAF_CHECK_EQUAL(short_expired(x, {"carol", 2000, "", 1}), "expired, on after '':");
  });
}

// -- deleting -------------------------------------------------------------------------------------

CAF_TEST(a deleted thread leaves nothing behind) {
  on_every_engine([](bench& x) {
    turn_record turn{.key = alice,
                     .instructions = talk("s1"),
                     .messages = talk("u1 a1"),
                     .idempotency_key = "k",
                     .answer = "answer"};
    x.commit(turn);
    x.commit(change_metadata{alice, {{"name", "value"}}});
    CAF_CHECK_EQUAL(x.commit(delete_thread{alice}), "nothing");
    CAF_CHECK_EQUAL(x.commit(delete_thread{alice}), "refused: no_thread");
    CAF_CHECK_EQUAL(text_of(x.ask(find_thread{alice})), "nothing");
    CAF_CHECK_EQUAL(x.messages({.key = alice}), "nothing");
    CAF_CHECK_EQUAL(text_of(x.load(alice)), text_of(thread_record{}));
    CAF_CHECK_EQUAL(x.replay({alice, {}, "k"}), "answer ''");
    CAF_CHECK_EQUAL(x.replay({alice, {}, ""}), "answer ''");
    turn.answer = "again";
    turn.instructions.reset();
    CAF_CHECK_EQUAL(x.commit(turn), "nothing"); // the key is free again
    CAF_CHECK_EQUAL(x.all_messages(alice), "1:u1 2:a1");
    CAF_CHECK_EQUAL(x.info(alice).turns, 1u);
    CAF_CHECK(x.info(alice).metadata.empty());
    CAF_CHECK(x.info(alice).instructions.empty());
    while (x.store().sweep(0)) {
    }
    CAF_CHECK_EQUAL(x.all_messages(alice), "1:u1 2:a1");
    CAF_CHECK_EQUAL(x.replay({alice, {}, "k"}), "answer 'again'");
  });
}

CAF_TEST(a thread that was used meanwhile is not deleted as expired) {
  on_every_engine([](bench& x) {
    x.add(alice, "u1", 1000);
    CAF_CHECK_EQUAL(x.commit(delete_thread{alice, 1000}), "nothing");
    CAF_CHECK_EQUAL(x.history(alice), "u1");
    CAF_CHECK_EQUAL(x.commit(delete_thread{alice, 1001}), "nothing");
    CAF_CHECK_EQUAL(text_of(x.ask(find_thread{alice})), "nothing");
    CAF_CHECK_EQUAL(x.commit(delete_thread{alice, 1001}), "refused: no_thread");
  });
}

// -- forks ----------------------------------------------------------------------------------------

CAF_TEST(a fork has the live messages and goes its own way) {
  on_every_engine([](bench& x) {
    x.commit(turn_record{
        .key = alice, .instructions = talk("s1"), .messages = talk("u1 a1 u2 a2"), .at = 1000});
    x.add(alice, "a3", 2000, 3);
    x.commit(change_metadata{alice, {{"name", "value"}}});
    const auto result = x.commit(fork_thread{alice, alice_2, {}, 5000});
    auto info = x.info(alice_2);
    CAF_CHECK_EQUAL(result, text_of(info));
    CAF_CHECK_EQUAL(info.id, "2");
    CAF_CHECK_EQUAL(info.created, 5000);
    CAF_CHECK_EQUAL(info.updated, 5000);
    CAF_CHECK_EQUAL(info.turns, 2u);
    CAF_CHECK_EQUAL(info.messages, 4u);
    CAF_CHECK_EQUAL(info.tokens, x.info(alice).tokens);
    CAF_CHECK_EQUAL(info.metadata["name"], "value");
    CAF_CHECK_EQUAL(words_of(info.instructions), "s1");
    CAF_CHECK_EQUAL(x.all_messages(alice_2), "1:u1 2:a1 3:u2 4:a3");
    CAF_CHECK_EQUAL(x.load(alice_2).version, 1u);
    const auto last = x.ask(list_messages{.key = alice_2, .after = 3});
    CAF_CHECK_EQUAL(std::get<page<stored_message>>(last).data.at(0).created, 2000);

    x.add(alice_2, "u9", 6000, 0);
    x.commit(change_metadata{alice_2, {{"name", {}}}});
    CAF_CHECK_EQUAL(x.history(alice), "u1 a1 u2 a3");
    CAF_CHECK_EQUAL(x.info(alice).metadata.size(), 1u);
    x.commit(delete_thread{alice});
    CAF_CHECK_EQUAL(x.all_messages(alice_2), "1:u1- 2:a1- 3:u2- 4:a3- 5:u9");
  });
}

CAF_TEST(a fork may end at a live message) {
  on_every_engine([](bench& x) {
    x.add(alice, "u1 a1 u2 a2", 1000);
    x.add(alice, "a3", 2000, 3);
    const auto fork = [&](const char* id, std::uint64_t up_to) {
      x.commit(fork_thread{alice, {"alice", id}, up_to, 5000});
      return x.all_messages({"alice", id});
    };
    CAF_CHECK_EQUAL(fork("f1", 1), "1:u1");
    CAF_CHECK_EQUAL(x.info({"alice", "f1"}).turns, 0u);
    CAF_CHECK_EQUAL(fork("f2", 3), "1:u1 2:a1 3:u2");
    CAF_CHECK_EQUAL(fork("f3", 5), "1:u1 2:a1 3:u2 4:a3");
    for (const std::uint64_t wrong :
         {std::uint64_t{0}, std::uint64_t{4}, std::uint64_t{6}, ~std::uint64_t{0}}) {
      CAF_CHECK_EQUAL(x.commit(fork_thread{alice, {"alice", "f4"}, wrong, 5000}),
                      "refused: no_message");
      CAF_CHECK_EQUAL(text_of(x.ask(find_thread{{"alice", "f4"}})), "nothing");
    }
  });
}

CAF_TEST(a fork needs a source and a free id) {
  on_every_engine([](bench& x) {
    CAF_CHECK_EQUAL(x.commit(fork_thread{alice, alice, {}, 1}), "refused: no_thread");
    x.add(alice, "u1");
    x.add(alice_2, "u2");
    CAF_CHECK_EQUAL(x.commit(fork_thread{alice, alice_2, 9, 1}), "refused: thread_exists");
    CAF_CHECK_EQUAL(x.commit(fork_thread{alice, alice, {}, 1}), "refused: thread_exists");
    CAF_CHECK_EQUAL(x.commit(fork_thread{bob, {"bob", "2"}, {}, 1}), "refused: no_thread");
    CAF_CHECK_EQUAL(x.history(alice_2), "u2");
  });
}

// -- metadata -------------------------------------------------------------------------------------

CAF_TEST(metadata is set and removed by name) {
  on_every_engine([](bench& x) {
    CAF_CHECK_EQUAL(x.commit(change_metadata{alice, {{"a", "1"}}}), "refused: no_thread");
    x.add(alice, "u1", 1000);
    x.commit(change_metadata{alice, {{"a", "1"}, {"b", "Grüße"}, {"c", ""}}});
    const auto result = x.commit(change_metadata{alice, {{"a", {}}, {"b", "2"}, {"x", {}}}});
    const auto info = x.info(alice);
    CAF_CHECK_EQUAL(result, text_of(info));
    CAF_CHECK(info.metadata == (thread_metadata{{"b", "2"}, {"c", ""}}));
    CAF_CHECK_EQUAL(info.updated, 1000);
    CAF_CHECK_EQUAL(x.load(alice).version, 1u);
    x.add(alice, "u2");
    CAF_CHECK_EQUAL(x.info(alice).metadata.size(), 2u);
  });
}

CAF_TEST(a thread has a limit of metadata) {
  on_every_engine([](bench& x) {
    x.add(alice, "u1");
    change_metadata full{alice, {}};
    for (std::size_t i = 0; i < max_metadata_pairs; ++i)
      full.changes["name " + std::to_string(i)] = "value";
    x.commit(full);
    CAF_CHECK_EQUAL(x.info(alice).metadata.size(), max_metadata_pairs);
    CAF_CHECK_EQUAL(x.commit(change_metadata{alice, {{"one more", ""}, {"name 1", "new"}}}),
                    "refused: too_much_metadata");
    const auto info = x.info(alice);
    CAF_CHECK_EQUAL(info.metadata.at("name 1"), "value");
    x.commit(change_metadata{alice, {{"one more", ""}, {"name 1", {}}}});
    CAF_CHECK_EQUAL(x.info(alice).metadata.size(), max_metadata_pairs);
    CAF_CHECK_EQUAL(x.info(alice).metadata.count("one more"), 1u);
  });
}

// -- imports --------------------------------------------------------------------------------------

CAF_TEST(an import is seen when it is finished) {
  on_every_engine([](bench& x) {
    x.stay_open();
    CAF_CHECK_EQUAL(x.commit(import_messages{"i", {imported("u1", 10), imported("a1", 11, true)}}),
                    "nothing");
    x.commit(import_messages{"i", {imported("a2", 12)}});
    CAF_CHECK_EQUAL(x.threads({.tenant = "alice"}), "");
    const thread_info info{.id = "other",
                           .created = 5,
                           .updated = 20,
                           .turns = 3,
                           .messages = 99,
                           .tokens = 99,
                           .metadata = {{"a", "b"}},
                           .instructions = talk("s1")};
    const auto result = x.commit(finish_import{"i", alice, info});
    auto expected = info;
    expected.id = "1";
    expected.messages = 2;
    expected.tokens = message("user", "u1")->tokens + message("assistant", "a2")->tokens;
    CAF_CHECK_EQUAL(result, text_of(expected));
    CAF_CHECK_EQUAL(text_of(x.ask(find_thread{alice})), result);
    CAF_CHECK_EQUAL(x.all_messages(alice), "1:u1 2:a1- 3:a2");
    CAF_CHECK_EQUAL(x.load(alice).version, 1u);
    x.add(alice, "u3", 30, 1);
    CAF_CHECK_EQUAL(x.all_messages(alice), "1:u1 2:a1- 3:a2- 4:u3");
    // The name is free again.
    x.commit(finish_import{"i", alice_2, {}});
    CAF_CHECK_EQUAL(x.all_messages(alice_2), "");
  });
}

CAF_TEST(an import does not replace a thread) {
  on_every_engine([](bench& x) {
    x.stay_open();
    x.commit(import_messages{"i", {imported("u1", 10)}});
    x.add(alice, "u2");
    CAF_CHECK_EQUAL(x.commit(finish_import{"i", alice, {}}), "refused: thread_exists");
    CAF_CHECK_EQUAL(x.history(alice), "u2");
    x.commit(finish_import{"i", alice_2, {}}); // it is still there
    CAF_CHECK_EQUAL(x.history(alice_2), "u1");
    CAF_CHECK_EQUAL(x.threads({.tenant = "alice", .ascending = true}), "2 1");
  });
}

CAF_TEST(an import may have no messages) {
  on_every_engine([](bench& x) {
    x.commit(finish_import{"i", alice, {.id = "", .created = 5, .updated = 6}});
    CAF_CHECK_EQUAL(x.all_messages(alice), "");
    CAF_CHECK_EQUAL(x.load(alice).version, 1u);
    x.add(alice, "u1");
    CAF_CHECK_EQUAL(x.all_messages(alice), "1:u1");
  });
}

CAF_TEST(a discarded import is gone) {
  on_every_engine([](bench& x) {
    x.stay_open();
    CAF_CHECK_EQUAL(x.commit(discard_import{"i"}), "nothing");
    x.commit(import_messages{"i", {imported("u1", 10)}});
    x.commit(import_messages{"j", {imported("u2", 10)}});
    CAF_CHECK_EQUAL(x.commit(discard_import{"i"}), "nothing");
    x.commit(import_messages{"i", {imported("u3", 10)}});
    x.commit(finish_import{"i", alice, {}});
    x.commit(finish_import{"j", alice_2, {}});
    CAF_CHECK_EQUAL(x.all_messages(alice), "1:u3");
    CAF_CHECK_EQUAL(x.all_messages(alice_2), "1:u2");
  });
}
