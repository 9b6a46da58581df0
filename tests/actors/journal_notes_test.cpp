/// What the journal commits for nobody: usage without a turn, last uses of keys; and accounts.
#define CAF_SUITE journal_notes
#include "tests/actors/journal_fixture.hpp"

#include "actors/journal_notes.hpp"

using namespace lang_agent;
using namespace lang_agent::test;
using namespace std::chrono_literals;

namespace {

using sizes = std::vector<std::size_t>;

struct notes_fixture : journal_fixture {
  /// Requests of the tenant that attempts to commit were about, by notes and by turns together.
  std::uint64_t attempted(const std::string& tenant) const {
    std::uint64_t out = 0;
    const auto add = [&](const usage_row& x) {
      if (x.key.tenant == tenant)
        out += x.counts.requests;
    };
    for (const auto& change : control->changes) {
      if (const auto* note = std::get_if<add_usage>(&change))
        for (const auto& row : note->rows)
          add(row);
      if (const auto* record = std::get_if<turn_record>(&change); record && record->usage)
        add(*record->usage);
    }
    return out;
  }

  store_turn used_turn(turn_id id, const std::string& tenant) {
    auto out = turn(id);
    out.turn.usage = usage_row{{tenant, "key", "model", 1}, {.requests = 1}};
    return out;
  }

  void make_key(const std::string& id) {
    send(aut, change_accounts{{put_key{{.id = id, .tenant = "t"}}, {.who = "root"}}, client_actor});
  }

  unix_ms last_use() {
    return std::get<stored_accounts>(answer(list_accounts{})).keys.at(0).last_used;
  }
};

template <class T>
bool is(const store_change& x) {
  return std::holds_alternative<T>(x);
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(journal_notes_tests, notes_fixture)

// -- accounts -------------------------------------------------------------------------------------

CAF_TEST(a change of accounts is made and told) {
  start();
  make_key("k");
  CAF_REQUIRE_EQUAL(client->count<store_answer>(), 1u);
  CAF_CHECK(std::holds_alternative<std::monostate>(
      std::get<change_result>(client->last<store_answer>().result)));
  send(aut, change_accounts{{remove_key{"unknown"}, {}}, client_actor});
  CAF_CHECK(std::get<refusal>(std::get<change_result>(client->last<store_answer>().result))
            == refusal::no_account);
  CAF_CHECK_EQUAL(std::get<page<audit_entry>>(answer(list_audit{})).data.size(), 1u);
}

CAF_TEST(whoever asks after a change of accounts sees it) {
  start();
  queue(change_accounts{{put_tenant{{"t", "{}"}}, {}}, client_actor});
  queue(ask_store{list_audit{}, client_actor});
  sched.run();
  const auto& found = std::get<query_result>(client->last<store_answer>().result);
  CAF_CHECK_EQUAL(std::get<page<audit_entry>>(found).data.size(), 1u);
}

CAF_TEST(a change of accounts that cannot be stored is told and may be tried again) {
  start();
  control->broken = true;
  make_key("k");
  CAF_CHECK(std::get<failure>(client->last<store_answer>().result).kind
            == error_kind::storage_unavailable);
  control->broken = false;
  make_key("k");
  CAF_CHECK_EQUAL(std::get<stored_accounts>(answer(list_accounts{})).keys.size(), 1u);
}

CAF_TEST(a turn beyond the storage of its tenant is told what helps) {
  start();
  auto first = turn(1, "thread");
  first.turn.max_threads = 1;
  send(aut, std::move(first));
  auto second = turn(2);
  second.turn.max_threads = 1;
  send(aut, std::move(second));
  auto third = turn(3, "thread", 1);
  third.turn.max_stored_bytes = 1;
  send(aut, std::move(third));
  CAF_CHECK(!stored(1).why);
  for (const auto& [id, kind] :
       {std::pair{2, error_kind::too_many_threads}, std::pair{3, error_kind::too_many_bytes}}) {
    CAF_REQUIRE(stored(static_cast<turn_id>(id)).why);
    const auto& why = *stored(static_cast<turn_id>(id)).why;
    CAF_CHECK(why.kind == kind);
    CAF_CHECK_EQUAL(why.http_status(), 403);
    CAF_CHECK(why.message.find("DELETE /v1/threads/{id}") != std::string::npos);
  }
}

// -- notes ----------------------------------------------------------------------------------------

CAF_TEST(notes go with the next group) {
  start();
  send(aut, usage("a", 2));
  send(aut, usage("a", 3));
  send(aut, note_key_use{{{{"k", 9}}}});
  CAF_CHECK(control->commits.empty());
  send(aut, used_turn(1, "a"));
  CAF_CHECK_EQUAL(control->commits, sizes{3}); // summed up: one of each kind
  CAF_CHECK_EQUAL(used("a").requests, 6u);
  pass(10s);
  CAF_CHECK_EQUAL(control->commits, sizes{3}); // nothing was left
}

CAF_TEST(notes for which no group comes are committed within a second) {
  start();
  send(aut, usage("a"));
  pass(999ms);
  CAF_CHECK(control->commits.empty());
  pass(1ms);
  CAF_CHECK_EQUAL(control->commits, sizes{1});
  CAF_CHECK_EQUAL(used("a").requests, 1u);
  send(aut, usage("a"));
  pass(1s);
  CAF_CHECK_EQUAL(control->commits, (sizes{1, 1}));
}

CAF_TEST(notes cause no commit of their own while groups come) {
  start();
  for (turn_id id = 1; id <= 50; ++id) {
    send(aut, usage("a"));
    pass(100ms);
    send(aut, turn(id));
    pass(100ms);
  }
  CAF_CHECK_EQUAL(control->commits, sizes(50, 2));
  CAF_CHECK_EQUAL(used("a").requests, 50u);
}

CAF_TEST(a note waits its full time although a timer was set for those before it) {
  start();
  send(aut, usage("a"));
  pass(500ms);
  send(aut, turn(1));
  send(aut, usage("a"));
  pass(500ms); // the first one would have been due
  CAF_CHECK_EQUAL(control->commits, sizes{2});
  pass(499ms);
  CAF_CHECK_EQUAL(control->commits, sizes{2});
  pass(1ms);
  CAF_CHECK_EQUAL(control->commits, (sizes{2, 1}));
  CAF_CHECK_EQUAL(used("a").requests, 2u);
}

CAF_TEST(notes are committed when the journal ends) {
  start();
  send(aut, usage("a"));
  caf::anon_send_exit(aut, caf::exit_reason::user_shutdown);
  sched.run();
  CAF_CHECK_EQUAL(control->commits, sizes{1});
  CAF_CHECK_EQUAL(attempted("a"), 1u);
}

CAF_TEST(notes are committed with the last group when the journal ends) {
  start();
  send(aut, usage("a"));
  queue(turn(1));
  sched.run_once();
  caf::anon_send_exit(aut, caf::exit_reason::user_shutdown);
  sched.run();
  CAF_CHECK_EQUAL(attempted("a"), 1u);
  CAF_CHECK_EQUAL(control->changes.size(), 2u);
}

CAF_TEST(last uses of keys are stored) {
  start();
  make_key("k");
  send(aut, note_key_use{{{{"k", 9}, {"k", 7}}}});
  send(aut, note_key_use{{{{"k", 8}}}});
  CAF_CHECK_EQUAL(last_use(), 9);
}

CAF_TEST(whoever asks for usage sees what was noted before) {
  start();
  send(aut, usage("a"));
  send(aut, ask_store{find_thread{key}, client_actor}); // not that one
  CAF_CHECK(control->commits.empty());
  CAF_CHECK_EQUAL(used("a").requests, 1u);
  CAF_CHECK_EQUAL(control->commits, sizes{1});
}

// -- failures -------------------------------------------------------------------------------------

CAF_TEST(usage of a failing group is neither lost nor counted twice) {
  control->is_bad = [](const store_change& x) {
    const auto* record = std::get_if<turn_record>(&x);
    return record && record->key.thread == "thread 2";
  };
  start();
  queue(usage("noted", 4));
  for (turn_id id = 1; id <= 3; ++id)
    queue(used_turn(id, "turns"));
  sched.run();
  CAF_CHECK_EQUAL(control->commits, (sizes{4, 1, 1, 1, 1}));
  CAF_CHECK_EQUAL(used("turns").requests, 2u); // the failed one left no trace
  CAF_CHECK_EQUAL(used("noted").requests, 4u);
  pass(10s);
  CAF_CHECK_EQUAL(used("noted").requests, 4u);
  CAF_CHECK_EQUAL(control->commits.size(), 5u);
}

CAF_TEST(notes that cannot be stored are stored later and harm nobody) {
  control->is_bad = [](const store_change& x) { return is<add_usage>(x); };
  start();
  make_key("k");
  control->commits.clear();
  queue(usage("a", 2));
  queue(note_key_use{{{{"k", 9}}}});
  queue(turn(1));
  sched.run();
  CAF_CHECK_EQUAL(control->commits, (sizes{3, 1, 1, 1})); // the turn, usage, last uses
  CAF_CHECK(!stored(1).why);
  // From now on they do not spoil the groups of others.
  send(aut, usage("a", 3));
  send(aut, turn(2));
  CAF_CHECK_EQUAL(control->commits, (sizes{3, 1, 1, 1, 1}));
  pass(1s);
  CAF_CHECK_EQUAL(control->commits, (sizes{3, 1, 1, 1, 1, 1}));
  control->is_bad = [](const store_change&) { return false; };
  pass(1s);
  CAF_CHECK_EQUAL(used("a").requests, 5u);
  CAF_CHECK_EQUAL(last_use(), 9);
  // And go with groups again.
  control->commits.clear();
  send(aut, usage("a"));
  send(aut, turn(3));
  CAF_CHECK_EQUAL(control->commits, sizes{2});
}

CAF_TEST(a store that is broken for a while loses no usage) {
  start();
  control->broken = true;
  for (turn_id id = 1; id <= 20; ++id) {
    send(aut, usage("a"));
    send(aut, turn(id));
    pass(300ms);
  }
  control->broken = false;
  pass(2s);
  CAF_CHECK_EQUAL(used("a").requests, 20u);
}

// -- bounds ---------------------------------------------------------------------------------------

CAF_TEST(notes of many keys do not wait) {
  start();
  for (int i = 0; i < 1023; ++i)
    send(aut, usage("tenant " + std::to_string(i)));
  CAF_CHECK(control->commits.empty());
  send(aut, usage("tenant 1023"));
  CAF_CHECK_EQUAL(control->commits, sizes{1});
  CAF_CHECK_EQUAL(std::get<add_usage>(control->changes.at(0)).rows.size(), 1024u);
}

CAF_TEST(notes free their place in the queue at once) {
  const auto gate = std::make_shared<journal_gate>(10);
  start();
  const journal_port port{aut, gate};
  CAF_CHECK(port.send(usage("a")));
  CAF_CHECK(gate->is_full());
  sched.run();
  CAF_CHECK(!gate->is_full());
  CAF_CHECK(control->commits.empty());
}

CAF_TEST(a full group has room for notes) {
  start();
  queue(usage("a"));
  queue(note_key_use{{{{"k", 9}}}});
  for (turn_id id = 1; id <= 600; ++id)
    queue(turn(id));
  sched.run();
  CAF_CHECK_EQUAL(control->commits, (sizes{512, 90}));
}

CAF_TEST(sums have a bound and say what was lost) {
  journal_notes notes{2};
  const journal_notes::time_point now{5s};
  const auto row = [](const std::string& tenant) {
    return add_usage{{{{tenant, "k", "m", 1}, {.requests = 1}}}};
  };
  CAF_CHECK(notes.empty());
  notes.add(row("a"), now);
  CAF_CHECK(!notes.is_full());
  notes.add(row("b"), now + 1s);
  CAF_CHECK(notes.is_full());
  CAF_CHECK(notes.since() == now);
  notes.add(row("c"), now);
  notes.add(row("a"), now); // has its place
  notes.add(touch_keys{{{"k", 1}, {"l", 2}, {"m", 3}, {"k", 4}}}, now);
  CAF_CHECK_EQUAL(notes.take_lost(), 2u);
  CAF_CHECK_EQUAL(notes.take_lost(), 0u);
  const auto taken = notes.take();
  CAF_REQUIRE_EQUAL(taken.size(), 2u);
  CAF_CHECK_EQUAL(std::get<add_usage>(taken[0]).rows.at(0).counts.requests, 2u);
  CAF_CHECK_EQUAL(std::get<add_usage>(taken[0]).rows.size(), 2u);
  CAF_CHECK_EQUAL(std::get<touch_keys>(taken[1]).used.at(0).second, 4);
  CAF_CHECK(notes.empty());
  CAF_CHECK(notes.take().empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
