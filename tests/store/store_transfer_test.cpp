/// What exports, imports and deletions of busy threads ask of a store.
#define CAF_SUITE store_transfer
#include "tests/store/contract.hpp"

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

store_change piece(const std::string& words) {
  import_messages out{"i", {}};
  for (const auto& x : talk(words))
    out.messages.push_back({0, 10, false, x});
  return out;
}

/// The same from two questions.
query_result asked_apart(bench& x, const list_messages& first) {
  return thread_with_messages{x.info(first.key), std::get<page<stored_message>>(x.ask(first))};
}

} // namespace

// -- a thread with its first messages -------------------------------------------------------------

CAF_TEST(a thread is read together with its first messages) {
  on_every_engine([](bench& x) {
    x.commit(turn_record{
        .key = alice, .instructions = talk("s1"), .messages = talk("u1 a1 u2 a2"), .at = 1000});
    x.add(alice, "a3", 2000, 3);
    x.commit(change_metadata{alice, {{"name", "value"}}});
    const auto check = [&](const list_messages& first, const std::string& expected) {
      const auto found = x.ask(read_thread{first});
      CAF_CHECK_EQUAL(text_of(found), text_of(asked_apart(x, first)));
      const auto* both = std::get_if<thread_with_messages>(&found);
      CAF_REQUIRE(both);
      CAF_CHECK_EQUAL(short_page(both->messages), expected);
      CAF_CHECK_EQUAL(words_of(both->thread.instructions), "s1");
    };
    check({.key = alice}, "1:u1 2:a1 3:u2 5:a3");
    check({.key = alice, .limit = 2}, "1:u1 2:a1 +");
    check({.key = alice, .limit = 5, .superseded = true}, "1:u1 2:a1 3:u2 4:a2- 5:a3");
    check({.key = alice, .ascending = false, .after = 3}, "2:a1 1:u1");
    check({.key = alice, .max_bytes = 1}, "1:u1 +");
    check({.key = alice, .after = 5}, "");
  });
}

CAF_TEST(a thread without messages is read too) {
  on_every_engine([](bench& x) {
    x.commit(finish_import{"i", alice, {.id = "", .created = 5, .updated = 6}});
    const auto found = x.ask(read_thread{{.key = alice}});
    const auto* both = std::get_if<thread_with_messages>(&found);
    CAF_REQUIRE(both);
    CAF_CHECK_EQUAL(both->thread.id, "1");
    CAF_CHECK_EQUAL(short_page(both->messages), "");
  });
}

CAF_TEST(a thread that is not there is not read) {
  on_every_engine([](bench& x) {
    x.add(alice, "u1 a1");
    for (const auto& key : {alice_2, bob, thread_key{"1", "alice"}})
      CAF_CHECK_EQUAL(text_of(x.ask(read_thread{{.key = key}})), "nothing");
    x.commit(delete_thread{alice});
    CAF_CHECK_EQUAL(text_of(x.ask(read_thread{{.key = alice}})), "nothing");
  });
}

// -- deleting what may not be there ---------------------------------------------------------------

CAF_TEST(deleting a thread that may be missing is no refusal) {
  on_every_engine([](bench& x) {
    CAF_CHECK_EQUAL(x.commit(delete_thread{alice, 0, true}), "nothing");
    CAF_CHECK_EQUAL(x.commit(delete_thread{alice, 0, false}), "refused: no_thread");
    x.add(alice, "u1", 1000);
    CAF_CHECK_EQUAL(x.commit(delete_thread{alice, 1000, true}), "nothing");
    CAF_CHECK_EQUAL(x.history(alice), "u1"); // not old enough
    CAF_CHECK_EQUAL(x.commit(delete_thread{alice, 0, true}), "nothing");
    CAF_CHECK_EQUAL(text_of(x.ask(find_thread{alice})), "nothing");
    CAF_CHECK_EQUAL(x.commit(delete_thread{alice, 1001, true}), "nothing");
  });
}

// -- imports of which something is missing --------------------------------------------------------

CAF_TEST(an import is finished only with as many messages as it should have) {
  on_every_engine([](bench& x) {
    x.stay_open();
    x.commit(piece("u1 a1"));
    x.commit(piece("u2"));
    for (const std::uint64_t wrong : {1u, 2u, 4u, 100u}) {
      CAF_CHECK_EQUAL(x.commit(finish_import{"i", alice, {}, wrong}), "refused: no_thread");
      CAF_CHECK_EQUAL(text_of(x.ask(find_thread{alice})), "nothing");
    }
    x.commit(finish_import{"i", alice, {}, 3}); // it is still there
    CAF_CHECK_EQUAL(x.all_messages(alice), "1:u1 2:a1 3:u2");
  });
}

CAF_TEST(superseded messages of an import count) {
  on_every_engine([](bench& x) {
    x.stay_open();
    x.commit(import_messages{
        "i", {{0, 1, true, talk("u1").front()}, {0, 1, false, talk("u2").front()}}});
    CAF_CHECK_EQUAL(x.commit(finish_import{"i", alice, {}, 1}), "refused: no_thread");
    x.commit(finish_import{"i", alice, {}, 2});
    CAF_CHECK_EQUAL(x.all_messages(alice), "1:u1- 2:u2");
  });
}

CAF_TEST(an import that is not there or was discarded is no thread) {
  on_every_engine([](bench& x) {
    x.stay_open();
    CAF_CHECK_EQUAL(x.commit(finish_import{"i", alice, {}, 1}), "refused: no_thread");
    x.commit(piece("u1"));
    x.commit(discard_import{"i"});
    CAF_CHECK_EQUAL(x.commit(finish_import{"i", alice, {}, 1}), "refused: no_thread");
    CAF_CHECK_EQUAL(x.threads({.tenant = "alice"}), "");
    x.add(alice, "u1 a1"); // nothing is in its way
    CAF_CHECK_EQUAL(x.all_messages(alice), "1:u1 2:a1");
  });
}

CAF_TEST(an import whose number of messages is not known takes what is there) {
  on_every_engine([](bench& x) {
    x.stay_open();
    x.commit(piece("u1 a1"));
    x.commit(finish_import{"i", alice, {}, 0});
    CAF_CHECK_EQUAL(x.all_messages(alice), "1:u1 2:a1");
  });
}

CAF_TEST(a thread that exists is told before anything that is missing) {
  on_every_engine([](bench& x) {
    x.add(alice, "u1");
    CAF_CHECK_EQUAL(x.commit(finish_import{"i", alice, {}, 7}), "refused: thread_exists");
    CAF_CHECK_EQUAL(x.history(alice), "u1");
  });
}

CAF_TEST(a refused import harms no other change of its commit) {
  on_every_engine([](bench& x) {
    x.stay_open();
    const auto results =
        x.commit_all({piece("u1"), finish_import{"i", alice, {}, 2}, finish_import{"i", bob, {}, 1},
                      delete_thread{alice_2, 0, true}});
    CAF_CHECK_EQUAL(text_of(results[1]), "refused: no_thread");
    CAF_CHECK_EQUAL(text_of(results[3]), "nothing");
    CAF_CHECK_EQUAL(x.threads({.tenant = "alice"}), "");
    CAF_CHECK_EQUAL(x.all_messages(bob), "1:u1");
  });
}
