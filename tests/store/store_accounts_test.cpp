/// Tenants, keys, what was done to them, and what they used.
#define CAF_SUITE store_accounts
#include "tests/store/contract.hpp"

#include <limits>

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

admin_change by_root(decltype(admin_change::what) what, const std::string& object = "object") {
  return {std::move(what),
          {.at = 7, .who = "root", .action = "does", .object = object, .detail = "{}"}};
}

stored_key key_of(const std::string& id, const std::string& tenant) {
  stored_key out{.id = id, .tenant = tenant, .label = "label of " + id, .hint = "wxyz"};
  for (std::size_t i = 0; i < id.size(); ++i)
    out.digest.at(i) = static_cast<unsigned char>(id[i]);
  return out;
}

/// "a b; k of a used 7, l of b": ids of tenants, then of keys.
std::string accounts(bench& x) {
  const auto found = std::get<stored_accounts>(x.ask(list_accounts{}));
  std::string out;
  for (const auto& t : found.tenants)
    out += (out.empty() ? "" : " ") + t.id;
  out += ';';
  for (const auto& k : found.keys) {
    out += (out.back() == ';' ? " " : ", ") + k.id + " of " + k.tenant;
    if (k.last_used != 0)
      out += " used " + std::to_string(k.last_used);
  }
  return out;
}

/// "3:object 1:object +": numbers and objects of a page.
std::string audit(bench& x, const list_audit& query = {}) {
  const auto found = std::get<page<audit_entry>>(x.ask(query));
  std::string out;
  for (const auto& entry : found.data)
    out += (out.empty() ? "" : " ") + std::to_string(entry.number) + ":" + entry.object;
  return out + (found.has_more ? " +" : "");
}

usage_row row(const std::string& tenant, const std::string& key, const std::string& model,
              std::int32_t day, std::uint64_t tokens = 1) {
  return {{tenant, key, model, day}, {.requests = 1, .prompt_tokens = tokens, .cost = 5}};
}

/// "t/k/m/1=2 +": rows and their requests.
std::string usage(bench& x, const read_usage& query) {
  const auto found = std::get<page<usage_row>>(x.ask(query));
  std::string out;
  for (const auto& [key, counts] : found.data)
    out += (out.empty() ? "" : " ") + key.tenant + "/" + key.key + "/" + key.model + "/"
           + std::to_string(key.day) + "=" + std::to_string(counts.requests);
  return out + (found.has_more ? " +" : "");
}

turn_record used_turn(std::uint64_t version, const usage_row& used) {
  turn_record out{.key = alice, .version = version, .keep = 0, .messages = talk("u1 a1")};
  out.usage = used;
  return out;
}

} // namespace

// -- administration -------------------------------------------------------------------------------

CAF_TEST(accounts come back with all they had) {
  on_every_engine([](bench& x) {
    stored_key key{.id = "k", .tenant = "nobody"};
    for (std::size_t i = 0; i < key.digest.size(); ++i)
      key.digest.at(i) = static_cast<unsigned char>(255 - 9 * i); // zeros, too, after a while
    key.digest[5] = 0;
    key.label = "Grüße 'it''s'";
    key.hint = "wxyz";
    key.created = 1;
    key.expires = 2;
    key.limits = R"({"max_turns":1})";
    key.disabled = true;
    key.last_used = 3;
    CAF_CHECK_EQUAL(x.commit(by_root(put_key{key})), "nothing");
    CAF_CHECK_EQUAL(x.commit(by_root(put_tenant{{"t", R"({"name":"T"})"}})), "nothing");
    CAF_CHECK_EQUAL(text_of(x.ask(list_accounts{})),
                    text_of(stored_accounts{{{"t", R"({"name":"T"})"}}, {key}}));
  });
}

CAF_TEST(a tenant takes its keys along and leaves its threads and its usage) {
  on_every_engine([](bench& x) {
    x.add(alice, "u1 a1");
    x.commit(add_usage{{row("alice", "k", "m", 1)}});
    x.commit(by_root(put_tenant{{"alice", "{}"}}));
    x.commit(by_root(put_tenant{{"bob", "{}"}}));
    for (const auto* id : {"k", "l"})
      x.commit(by_root(put_key{key_of(id, "alice")}));
    x.commit(by_root(put_key{key_of("m", "bob")}));
    CAF_CHECK_EQUAL(accounts(x), "alice bob; k of alice, l of alice, m of bob");
    CAF_CHECK_EQUAL(x.commit(by_root(remove_tenant{"alice"})), "nothing");
    CAF_CHECK_EQUAL(accounts(x), "bob; m of bob");
    CAF_CHECK_EQUAL(x.history(alice), "u1 a1");
    CAF_CHECK_EQUAL(text_of(x.ask(read_totals{"alice"})).substr(0, 9), "threads=1");
    CAF_CHECK_EQUAL(usage(x, {.last_day = 9}), "alice/k/m/1=1");
    CAF_CHECK_EQUAL(x.commit(by_root(remove_key{"m"})), "nothing");
    CAF_CHECK_EQUAL(accounts(x), "bob;");
  });
}

CAF_TEST(what is not there is not removed and leaves no entry) {
  on_every_engine([](bench& x) {
    x.commit(by_root(put_key{key_of("k", "alice")}));
    CAF_CHECK_EQUAL(x.commit(by_root(remove_tenant{"alice"})), "refused: no_account");
    CAF_CHECK_EQUAL(x.commit(by_root(remove_key{"K"})), "refused: no_account");
    CAF_CHECK_EQUAL(accounts(x), "; k of alice");
    CAF_CHECK_EQUAL(audit(x), "1:object");
  });
}

CAF_TEST(two keys cannot have the same digest) {
  on_every_engine([](bench& x) {
    auto key = key_of("k", "alice");
    x.commit(by_root(put_key{key}));
    key.label = "another label"; // the same key may be changed
    CAF_CHECK_EQUAL(x.commit(by_root(put_key{key})), "nothing");
    key.id = "l";
    CAF_CHECK_EQUAL(x.commit(by_root(put_key{key})), "refused: key_taken");
    x.commit(by_root(remove_key{"k"}));
    CAF_CHECK_EQUAL(x.commit(by_root(put_key{key})), "nothing");
    CAF_CHECK_EQUAL(accounts(x), "; l of alice");
    CAF_CHECK_EQUAL(audit(x), "4:object 3:object 2:object 1:object");
  });
}

CAF_TEST(a key rotates as a whole or not at all) {
  on_every_engine([](bench& x) {
    x.commit(by_root(put_key{key_of("k", "alice")}));
    x.commit(by_root(put_key{key_of("other", "alice")}));
    const auto expiry = [&](const std::string& id) {
      const auto found = x.store().ask(list_accounts{});
      for (const auto& key : std::get<stored_accounts>(found).keys)
        if (key.id == id)
          return key.expires;
      return unix_ms{-1};
    };
    auto fresh = key_of("l", "alice");
    fresh.digest = key_of("other", "alice").digest;
    CAF_CHECK_EQUAL(x.commit(by_root(rotate_key{"k", 70, fresh})), "refused: key_taken");
    CAF_CHECK(expiry("k") == 0);
    fresh = key_of("l", "alice");
    CAF_CHECK_EQUAL(x.commit(by_root(rotate_key{"nobody", 70, fresh})), "refused: no_account");
    CAF_CHECK(expiry("l") == -1);
    CAF_CHECK_EQUAL(x.commit(by_root(rotate_key{"k", 70, fresh})), "nothing");
    CAF_CHECK(expiry("k") == 70);
    CAF_CHECK(expiry("l") == 0);
    CAF_CHECK_EQUAL(audit(x), "3:object 2:object 1:object");
  });
}

CAF_TEST(the last use of a key never goes back) {
  on_every_engine([](bench& x) {
    auto key = key_of("k", "alice");
    x.commit(by_root(put_key{key}));
    CAF_CHECK_EQUAL(x.commit(touch_keys{{{"k", 50}, {"unknown", 60}, {"k", 40}}}), "nothing");
    CAF_CHECK_EQUAL(accounts(x), "; k of alice used 50");
    key.last_used = 30;
    x.commit(by_root(put_key{key}));
    CAF_CHECK_EQUAL(accounts(x), "; k of alice used 50");
    key.last_used = 70;
    x.commit(by_root(put_key{key}));
    CAF_CHECK_EQUAL(accounts(x), "; k of alice used 70");
  });
}

CAF_TEST(a change and its entry are made together or not at all) {
  on_every_engine([](bench& x) {
    turn_record fails{.key = alice, .keep = 1, .messages = talk("u1")};
    fails.usage = row("alice", "k", "m", 1);
    const std::vector<store_change> changes{
        by_root(put_tenant{{"alice", "{}"}}), by_root(put_key{key_of("k", "alice")}),
        add_usage{{row("alice", "k", "m", 1)}}, touch_keys{{{"k", 9}}}, fails};
    bool failed = false;
    try {
      x.store().commit(changes);
    } catch (const store::storage_error&) {
      failed = true;
    }
    CAF_CHECK(failed);
    CAF_CHECK_EQUAL(accounts(x), ";");
    CAF_CHECK_EQUAL(audit(x), "");
    CAF_CHECK_EQUAL(usage(x, {.last_day = 9}), "");
    CAF_CHECK_EQUAL(text_of(x.ask(read_totals{"alice"})), "threads=0 bytes=0");
    // Nor does the next commit bring any of it back.
    x.commit(by_root(put_tenant{{"bob", "{}"}}));
    CAF_CHECK_EQUAL(accounts(x), "bob;");
    CAF_CHECK_EQUAL(audit(x), "1:object");
    CAF_CHECK_EQUAL(usage(x, {.last_day = 9}), "");
  });
}

CAF_TEST(audit entries are listed newest first with whom they were about) {
  on_every_engine([](bench& x) {
    x.commit(by_root(put_tenant{{"alice", "{}"}}, "tenant alice"));
    x.commit(by_root(put_key{key_of("k", "alice")}, "key k"));
    x.commit(by_root(put_key{key_of("l", "bob")}, "key l"));
    x.commit(by_root(remove_key{"k"}, "key k"));
    CAF_CHECK_EQUAL(audit(x), "4:key k 3:key l 2:key k 1:tenant alice");
    CAF_CHECK_EQUAL(audit(x, {.limit = 3}), "4:key k 3:key l 2:key k +");
    CAF_CHECK_EQUAL(audit(x, {.limit = 3, .after = 2}), "1:tenant alice");
    CAF_CHECK_EQUAL(audit(x, {.after = ~std::uint64_t{0}}),
                    "4:key k 3:key l 2:key k 1:tenant alice");
    CAF_CHECK_EQUAL(audit(x, {.object = "key k"}), "4:key k 2:key k");
    CAF_CHECK_EQUAL(audit(x, {.limit = 1, .object = "key k"}), "4:key k +");
    CAF_CHECK_EQUAL(audit(x, {.tenant = "alice"}), "4:key k 2:key k 1:tenant alice");
    CAF_CHECK_EQUAL(audit(x, {.after = 4, .tenant = "alice", .object = "key k"}), "2:key k");
    CAF_CHECK_EQUAL(audit(x, {.tenant = "nobody"}), "");
    const auto newest = std::get<page<audit_entry>>(x.ask(list_audit{.limit = 1})).data.at(0);
    CAF_CHECK_EQUAL(
        text_of(page<audit_entry>{{newest}, true}),
        text_of(page<audit_entry>{{{4, 7, "root", "does", "key k", "{}", "alice"}}, true}));
  });
}

// -- usage ----------------------------------------------------------------------------------------

CAF_TEST(usage is added up per tenant and key and model and day) {
  on_every_engine([](bench& x) {
    const usage_row all{{"t", "k", "m", 3}, {1, 2, 3, 4, 5, 6, -7}};
    x.commit(add_usage{{all, all}});
    x.commit(add_usage{{all, row("t", "k", "m", 4), row("t", "k", "M", 3), row("t", "l", "m", 3)}});
    const auto found = std::get<page<usage_row>>(
        x.ask(read_usage{.key = "k", .model = "m", .first_day = 3, .last_day = 3}));
    CAF_CHECK_EQUAL(text_of(found),
                    text_of(page<usage_row>{{{{"t", "k", "m", 3}, {3, 6, 9, 12, 15, 18, -21}}}}));
    CAF_CHECK_EQUAL(usage(x, {.last_day = 9}), "t/k/M/3=1 t/k/m/3=3 t/l/m/3=1 t/k/m/4=1");
  });
}

CAF_TEST(a turn brings its usage or none if it is refused) {
  on_every_engine([](bench& x) {
    const auto results = x.commit_all(
        {used_turn(0, row("alice", "k", "m", 1)), used_turn(0, row("alice", "k", "m", 1)),
         used_turn(1, row("alice", "k", "m", 1)), used_turn(2, row("alice", "k", "m", 2))});
    CAF_CHECK_EQUAL(text_of(results[1]), "refused: thread_changed");
    CAF_CHECK_EQUAL(usage(x, {.last_day = 9}), "alice/k/m/1=2 alice/k/m/2=1");
  });
}

CAF_TEST(usage is listed page by page) {
  on_every_engine([](bench& x) {
    x.commit(add_usage{{row("b", "k", "m", 2), row("a", "k", "m", 2), row("a", "k", "m", 1),
                        row("a", "l", "n", 2), row("b", "k", "m", 4), row("a", "k", "m", -3)}});
    CAF_CHECK_EQUAL(usage(x, {.first_day = -9, .last_day = 9}),
                    "a/k/m/-3=1 a/k/m/1=1 a/k/m/2=1 a/l/n/2=1 b/k/m/2=1 b/k/m/4=1");
    read_usage query{.first_day = 1, .last_day = 4, .limit = 2};
    CAF_CHECK_EQUAL(usage(x, query), "a/k/m/1=1 a/k/m/2=1 +");
    query.after = usage_key{"a", "k", "m", 2};
    CAF_CHECK_EQUAL(usage(x, query), "a/l/n/2=1 b/k/m/2=1 +");
    query.after = usage_key{"b", "k", "m", 2};
    CAF_CHECK_EQUAL(usage(x, query), "b/k/m/4=1");
    query.after = usage_key{"b", "k", "m", 4};
    CAF_CHECK_EQUAL(usage(x, query), "");
    CAF_CHECK_EQUAL(usage(x, {.tenant = "a", .first_day = 1, .last_day = 2}),
                    "a/k/m/1=1 a/k/m/2=1 a/l/n/2=1");
    CAF_CHECK_EQUAL(usage(x, {.tenant = "b", .last_day = 9, .after = usage_key{"a", "l", "n", 2}}),
                    "b/k/m/2=1 b/k/m/4=1");
    CAF_CHECK_EQUAL(usage(x, {.tenant = "a", .last_day = 9, .after = usage_key{"b", "", "", 2}}),
                    "");
    CAF_CHECK_EQUAL(usage(x, {.key = "k", .last_day = 2, .limit = 2}), "a/k/m/1=1 a/k/m/2=1 +");
    CAF_CHECK_EQUAL(usage(x, {.model = "n", .last_day = 9}), "a/l/n/2=1");
    CAF_CHECK_EQUAL(usage(x, {.first_day = 4, .last_day = 1}), "");
    CAF_CHECK_EQUAL(usage(x, {.first_day = std::numeric_limits<std::int32_t>::min(),
                              .last_day = std::numeric_limits<std::int32_t>::max(),
                              .limit = 1}),
                    "a/k/m/-3=1 +");
  });
}

CAF_TEST(counts stop at the end of their range) {
  on_every_engine([](bench& x) {
    constexpr auto most = std::numeric_limits<std::uint64_t>::max();
    usage_row huge{{"t", "k", "m", 1}, {1, 0, 0, 0, most, 1, std::int64_t{1} << 62}};
    for (int i = 0; i < 3; ++i)
      x.commit(add_usage{{huge, huge}});
    auto found = std::get<page<usage_row>>(x.ask(read_usage{.last_day = 1})).data.at(0).counts;
    CAF_CHECK_EQUAL(found.requests, 6u);
    CAF_CHECK_EQUAL(found.prompt_tokens, (std::uint64_t{1} << 63) - 1);
    CAF_CHECK_EQUAL(found.completion_tokens, 6u);
    CAF_CHECK_EQUAL(found.cost, std::numeric_limits<std::int64_t>::max());
    huge.counts.cost = std::numeric_limits<std::int64_t>::min();
    for (int i = 0; i < 3; ++i)
      x.commit(add_usage{{huge}});
    found = std::get<page<usage_row>>(x.ask(read_usage{.last_day = 1})).data.at(0).counts;
    CAF_CHECK_EQUAL(found.cost, std::numeric_limits<std::int64_t>::min());
  });
}
