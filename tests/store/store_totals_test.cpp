/// What a tenant has in the store, and what it may have.
#define CAF_SUITE store_totals
#include "tests/store/contract.hpp"

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

std::uint64_t bytes_of(const std::string& words) {
  std::uint64_t out = 0;
  for (const auto& x : talk(words))
    out += x->json.size() + x->reasoning.size();
  return out;
}

void check(bench& x, const std::string& tenant, std::uint64_t threads, const std::string& words) {
  CAF_CHECK_EQUAL(text_of(x.ask(read_totals{tenant})),
                  text_of(tenant_totals{threads, bytes_of(words)}));
}

turn_record turn(const thread_key& key, std::uint64_t version, const std::string& words) {
  return {.key = key, .version = version, .keep = 0, .messages = talk(words), .at = 1000};
}

import_messages piece(const std::string& words, bool superseded = false) {
  import_messages out{"i", {}};
  for (const auto& x : talk(words))
    out.messages.push_back({0, 10, superseded, x});
  return out;
}

const std::string many_threads = "refused: too_many_threads";
const std::string many_bytes = "refused: too_many_bytes";

} // namespace

CAF_TEST(totals follow turns and count what is superseded) {
  on_every_engine([](bench& x) {
    check(x, "alice", 0, "");
    x.add(alice, "u1 a1");
    x.add(alice, "u2 a2", 1000, 0);
    x.add(alice_2, "u3");
    x.add(bob, "u4");
    check(x, "alice", 2, "u1 a1 u2 a2 u3");
    check(x, "bob", 1, "u4");
  });
}

CAF_TEST(reasoning and instructions count) {
  on_every_engine([](bench& x) {
    chat_message m{.who = role::assistant, .json = R"({"content":"Grüße\u0000"})"};
    m.reasoning = R"("why")";
    m.json += std::string{"\0 ", 2};
    const auto has = [&](std::uint64_t threads, std::uint64_t bytes) {
      CAF_CHECK_EQUAL(text_of(x.ask(read_totals{"alice"})), text_of(tenant_totals{threads, bytes}));
    };
    auto first = turn(alice, 0, "");
    first.messages = {std::make_shared<const chat_message>(m)};
    first.instructions = talk("s1 s2");
    first.answer = "answer";
    x.commit(first);
    const auto message = m.json.size() + m.reasoning.size();
    const auto instructions = bytes_of("s1 s2");
    has(1, message + instructions);
    x.commit(fork_thread{alice, alice_2, {}, 1});
    has(2, 2 * (message + instructions));
    auto second = turn(alice, 1, "");
    second.keep = 1;
    second.instructions = talk("s1");
    second.answer = "answer";
    x.commit(second);
    has(2, 2 * message + instructions + bytes_of("s1"));
    x.commit(delete_thread{alice_2});
    has(1, message + bytes_of("s1"));
    x.commit(delete_thread{alice});
    has(0, 0);
  });
}

CAF_TEST(totals follow deletions) {
  on_every_engine([](bench& x) {
    x.add(alice, "u1 a1");
    x.add(alice, "u2", 1000, 1);
    x.add(alice_2, "u3");
    x.commit(delete_thread{alice, 500}); // not old enough
    check(x, "alice", 2, "u1 a1 u2 u3");
    x.commit(delete_thread{alice});
    check(x, "alice", 1, "u3");
    CAF_CHECK_EQUAL(x.commit(delete_thread{alice}), "refused: no_thread");
    while (x.store().sweep(0)) {
    }
    check(x, "alice", 1, "u3");
    x.commit(delete_thread{alice_2});
    check(x, "alice", 0, "");
  });
}

CAF_TEST(a fork counts what it took) {
  on_every_engine([](bench& x) {
    x.add(alice, "u1 a1 u2 a2");
    x.add(alice, "u3", 1000, 2);
    x.commit(fork_thread{alice, alice_2, 2, 1});
    check(x, "alice", 2, "u1 a1 u2 a2 u3 u1 a1");
    CAF_CHECK_EQUAL(x.commit(fork_thread{alice, alice_2, {}, 1}), "refused: thread_exists");
    x.commit(delete_thread{alice_2});
    check(x, "alice", 1, "u1 a1 u2 a2 u3");
  });
}

CAF_TEST(an import counts when it is finished) {
  on_every_engine([](bench& x) {
    x.stay_open();
    x.commit(piece("u1 a1"));
    x.commit(piece("u2", true));
    check(x, "alice", 0, "");
    x.commit(finish_import{"i", alice, {}});
    check(x, "alice", 1, "u1 a1 u2");
    x.commit(piece("u3"));
    x.commit(discard_import{"i"});
    x.commit(finish_import{"j", alice_2, {}});
    check(x, "alice", 2, "u1 a1 u2");
    check(x, "", 0, "");
  });
}

CAF_TEST(a thread too many is refused exactly) {
  on_every_engine([](bench& x) {
    x.stay_open();
    const auto limited = [](auto change) {
      change.max_threads = 2;
      return store_change{change};
    };
    // Within one commit, too.
    const auto results = x.commit_all(
        {limited(turn({"alice", "a"}, 0, "u1")), limited(turn({"alice", "b"}, 0, "u1")),
         limited(turn({"alice", "c"}, 0, "u1")), limited(turn({"bob", "c"}, 0, "u1")),
         limited(turn({"alice", "a"}, 1, "u2"))});
    CAF_CHECK_EQUAL(text_of(results[1]), "nothing");
    CAF_CHECK_EQUAL(text_of(results[2]), many_threads);
    CAF_CHECK_EQUAL(text_of(results[3]), "nothing");
    CAF_CHECK_EQUAL(text_of(results[4]), "nothing");
    CAF_CHECK_EQUAL(x.commit(limited(fork_thread{{"alice", "a"}, {"alice", "c"}, {}, 1})),
                    many_threads);
    x.commit(piece("u5"));
    CAF_CHECK_EQUAL(x.commit(limited(finish_import{"i", {"alice", "c"}, {}})), many_threads);
    CAF_CHECK_EQUAL(x.threads({.tenant = "alice", .ascending = true}), "a b");
    x.commit(delete_thread{{"alice", "b"}});
    CAF_CHECK_EQUAL(x.commit(limited(finish_import{"i", {"alice", "c"}, {}, 1})).substr(0, 11),
                    "\n  thread c"); // it was still there
    CAF_CHECK_EQUAL(x.commit(limited(turn({"alice", "b"}, 0, "u1"))), many_threads);
  });
}

CAF_TEST(a turn is refused when there are as many bytes as there may be) {
  on_every_engine([](bench& x) {
    const auto limited = [](turn_record change, std::size_t bytes) {
      change.max_stored_bytes = bytes;
      return store_change{change};
    };
    const auto one = bytes_of("u1");
    CAF_CHECK_EQUAL(x.commit(limited(turn(alice, 0, "u1"), 1)), "nothing"); // may go beyond
    CAF_CHECK_EQUAL(x.commit(limited(turn(alice, 1, "u2"), one)), many_bytes);
    CAF_CHECK_EQUAL(x.commit(limited(turn(alice_2, 0, "u2"), one)), many_bytes);
    CAF_CHECK_EQUAL(x.commit(limited(turn(bob, 0, "u2"), one)), "nothing");
    CAF_CHECK_EQUAL(x.commit(limited(turn(alice, 1, "u2"), one + 1)), "nothing");
    CAF_CHECK_EQUAL(x.history(alice), "u2");
    check(x, "alice", 1, "u1 u2");
    // What is wrong anyway is told first.
    CAF_CHECK_EQUAL(x.commit(limited(turn(alice, 7, "u2"), 1)), "refused: thread_changed");
  });
}

CAF_TEST(a fork or an import must fit as a whole) {
  on_every_engine([](bench& x) {
    x.stay_open();
    x.add(alice, "u1 a1 u2");
    x.add(alice, "u3", 1000, 1);
    const auto before = bytes_of("u1 a1 u2 u3");
    const auto fork = [&](std::optional<std::uint64_t> up_to, std::size_t more) {
      fork_thread out{alice, alice_2, up_to, 1};
      out.max_stored_bytes = before + more;
      return x.commit(out);
    };
    const auto live = bytes_of("u1 u3");
    CAF_CHECK_EQUAL(fork({}, live - 1), many_bytes);
    CAF_CHECK_EQUAL(fork(1, bytes_of("u1") - 1), many_bytes);
    check(x, "alice", 1, "u1 a1 u2 u3");
    CAF_CHECK_EQUAL(fork(1, bytes_of("u1")).substr(0, 11), "\n  thread 2");
    x.commit(delete_thread{alice_2});
    CAF_CHECK_EQUAL(fork({}, live).substr(0, 11), "\n  thread 2");
    x.commit(delete_thread{alice_2});
    x.commit(piece("u5"));
    finish_import last{"i", alice_2, {}, 1};
    last.max_stored_bytes = before + bytes_of("u5") - 1;
    CAF_CHECK_EQUAL(x.commit(last), many_bytes);
    check(x, "alice", 1, "u1 a1 u2 u3");
    last.max_stored_bytes += 1;
    CAF_CHECK_EQUAL(x.commit(last).substr(0, 11), "\n  thread 2");
    check(x, "alice", 2, "u1 a1 u2 u3 u5");
    // Even one that takes nothing, when nothing is left.
    finish_import empty{"j", {"alice", "3"}, {}};
    empty.max_stored_bytes = last.max_stored_bytes;
    CAF_CHECK_EQUAL(x.commit(empty), many_bytes);
  });
}
