#define CAF_SUITE account_book
#include "tests/test.hpp"

#include "actors/account_book.hpp"

using namespace lang_agent;

namespace {

tenant_settings named(const std::string& name, std::size_t max_turns = 1) {
  tenant_settings out;
  out.name = name;
  out.limits.max_turns = max_turns;
  return out;
}

struct book_fixture {
  account_book book{ledger_book{[](const std::string& x) { return std::make_shared<ledger>(x); }},
                    known_accounts{}};
  unix_ms now = 1'000'000;

  book_fixture() {
    auto configured = named("configured", 7);
    configured.keys = {"key of the config"};
    book.configure({configured}, {});
  }

  account_plan plan(const account_command& x) {
    auto out = book.plan(x, "key_admin", now);
    if (const auto* why = std::get_if<failure>(&out))
      CAF_FAIL(why->message);
    return std::get<account_plan>(std::move(out));
  }

  /// As the accounts actor does when the store has made all of it.
  account_plan make(const account_command& x) {
    auto out = plan(x);
    book.apply(out.change);
    return out;
  }

  error_kind refusal_of(const account_command& x) {
    const auto out = book.plan(x, "key_admin", now);
    CAF_REQUIRE(std::holds_alternative<failure>(out));
    return std::get<failure>(out).kind;
  }

  /// Whose key that is; "": nobody's.
  std::string owner_of(const std::string& key) {
    const auto table = book.make_table();
    const auto found = table->authenticate("Bearer " + key, now);
    const auto* who = std::get_if<caller_ptr>(&found);
    return who ? (*who)->owner->name() : "";
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(book_tests, book_fixture)

CAF_TEST(a new tenant has no key and a new key finds its tenant) {
  make(named("acme"));
  const auto made = make(new_key{"acme", {}});
  CAF_CHECK_EQUAL(made.secret.size(), 46u);
  CAF_CHECK(made.secret.starts_with("la-"));
  CAF_CHECK_EQUAL(owner_of(made.secret), "acme");
  CAF_CHECK_EQUAL(owner_of("key of the config"), "configured");
}

CAF_TEST(two keys are never the same) {
  make(named("acme"));
  const auto one = make(new_key{"acme", {}});
  const auto two = make(new_key{"acme", {}});
  CAF_CHECK_NOT_EQUAL(one.secret, two.secret);
  CAF_CHECK_NOT_EQUAL(one.key.id, two.key.id);
}

CAF_TEST(planning changes nothing) {
  plan(named("acme"));
  CAF_CHECK(refusal_of(new_key{"acme", {}}) == error_kind::tenant_not_found);
}

CAF_TEST(what the config says cannot be changed) {
  CAF_CHECK(refusal_of(named("configured")) == error_kind::tenant_is_configured);
  CAF_CHECK(refusal_of(remove_tenant{"configured"}) == error_kind::tenant_is_configured);
  const auto made = make(new_key{"configured", {}});
  CAF_CHECK_EQUAL(owner_of(made.secret), "configured");
}

CAF_TEST(a tenant of the store gives way to one of the config) {
  make(named("acme", 3));
  const auto limit = [&] {
    for (const auto& x : book.tenants())
      if (x.name == "acme")
        return x.limits.max_turns;
    return std::size_t{0};
  };
  book.configure({named("acme", 5)}, {});
  CAF_CHECK_EQUAL(limit(), 5u);
  CAF_CHECK_EQUAL(book.tenants().size(), 1u);
  book.configure({}, {});
  CAF_CHECK_EQUAL(limit(), 3u);
}

CAF_TEST(what is not there cannot be changed) {
  CAF_CHECK(refusal_of(remove_tenant{"x"}) == error_kind::tenant_not_found);
  CAF_CHECK(refusal_of(key_update{"x", {}}) == error_kind::key_not_found);
  CAF_CHECK(refusal_of(key_rotation{"x", 0}) == error_kind::key_not_found);
  CAF_CHECK(refusal_of(remove_key{"x"}) == error_kind::key_not_found);
  CAF_CHECK(refusal_of(named("a/b")) == error_kind::invalid_request);
}

CAF_TEST(a tenant takes its keys along) {
  make(named("acme"));
  const auto made = make(new_key{"acme", {}});
  make(remove_tenant{"acme"});
  CAF_CHECK_EQUAL(owner_of(made.secret), "");
  make(named("acme"));
  CAF_CHECK_EQUAL(owner_of(made.secret), "");
}

CAF_TEST(a rotated key is good until the overlap is over) {
  make(named("acme"));
  const auto old = make(new_key{"acme", {}});
  const auto fresh = make(key_rotation{old.key.id, 10});
  CAF_CHECK_EQUAL(owner_of(old.secret), "acme");
  CAF_CHECK_EQUAL(owner_of(fresh.secret), "acme");
  now += 10'000;
  CAF_CHECK_EQUAL(owner_of(old.secret), "");
  CAF_CHECK_EQUAL(owner_of(fresh.secret), "acme");
}

CAF_TEST(a key has limits of its own until it gets back those of its tenant) {
  auto acme = named("acme", 100);
  acme.key_limits.max_turns = 1;
  make(acme);
  const auto made = make(new_key{"acme", {.limits = R"({"max_turns":2})"}});
  const auto turns_of = [&](const std::string& secret) {
    const auto table = book.make_table();
    const auto found = table->authenticate("Bearer " + secret, now);
    const auto& who = std::get<caller_ptr>(found);
    std::vector<reservation_ptr> held;
    for (;;) {
      auto next = who->owner->account->reserve({who->key, "m", {}, false, 0});
      if (std::holds_alternative<failure>(next))
        return held.size();
      held.push_back(std::get<reservation_ptr>(std::move(next)));
    }
  };
  CAF_CHECK_EQUAL(turns_of(made.secret), 2u);
  const auto fresh = make(key_rotation{made.key.id, 0});
  CAF_CHECK_EQUAL(turns_of(fresh.secret), 2u);
  make(key_update{fresh.key.id, {.label = "the same limits"}});
  CAF_CHECK_EQUAL(turns_of(fresh.secret), 2u);
  make(key_update{fresh.key.id, {.limits = ""}});
  CAF_CHECK_EQUAL(turns_of(fresh.secret), 1u);
}

CAF_TEST(a rotation does not prolong a key) {
  make(named("acme"));
  http::key_change soon;
  soon.expires = now + 5000;
  const auto old = make(new_key{"acme", soon});
  make(key_rotation{old.key.id, 3600});
  now += 5000;
  CAF_CHECK_EQUAL(owner_of(old.secret), "");
}

CAF_TEST(no audit entry and no answer but the first has the secret) {
  make(named("acme"));
  const account_command command = new_key{"acme", {}};
  const auto made = make(command);
  const auto& entry = made.change.audit;
  CAF_CHECK_EQUAL(entry.who, "key_admin");
  CAF_CHECK_EQUAL(entry.action, "key.created");
  CAF_CHECK_EQUAL(entry.at, now);
  CAF_CHECK(entry.detail.find(made.secret) == std::string::npos);
  CAF_CHECK(book.result_of(command, made).find(made.secret) != std::string::npos);
  CAF_CHECK(std::get<std::string>(book.list_keys("acme")).find(made.secret) == std::string::npos);
}

CAF_TEST(accounts are as they were when they are read from the store again) {
  auto tenant = named("acme", 3);
  tenant.models = {"m"};
  stored_accounts stored;
  stored.tenants.push_back(std::get<put_tenant>(make(tenant).change.what).tenant);
  const auto made = make(new_key{"acme", {}});
  stored.keys.push_back(made.key);
  account_book again{ledger_book{[](const std::string& x) { return std::make_shared<ledger>(x); }},
                     understand(stored)};
  CAF_REQUIRE_EQUAL(again.tenants().size(), 1u);
  CAF_CHECK(again.tenants()[0] == tenant);
  const auto found = again.make_table()->authenticate("Bearer " + made.secret, now);
  CAF_CHECK(std::holds_alternative<caller_ptr>(found));
}

CAF_TEST(stored accounts that cannot be read are an error) {
  const auto problem_of = [](const stored_accounts& x) -> std::string {
    try {
      understand(x);
    } catch (const std::runtime_error& e) {
      return e.what();
    }
    return "none";
  };
  stored_key key;
  key.id = "key_1";
  CAF_CHECK_EQUAL(problem_of({{{"acme", "{}"}}, {key}}), "none");
  key.limits = R"({"nonsense":1})";
  CAF_CHECK(problem_of({{}, {key}}).starts_with("the limits of the stored key \"key_1\""));
  CAF_CHECK(problem_of({{{"acme", key.limits}}, {}}).starts_with("the stored tenant \"acme\""));
}

CAF_TEST(a use of a stored key is told once) {
  make(named("acme"));
  const auto made = make(new_key{"acme", {}});
  const auto table = book.make_table();
  CAF_CHECK(book.take_key_uses(*table).used.empty());
  static_cast<void>(table->authenticate("Bearer " + made.secret, now));
  static_cast<void>(table->authenticate("Bearer key of the config", now));
  const auto uses = book.take_key_uses(*table);
  CAF_REQUIRE_EQUAL(uses.used.size(), 1u);
  CAF_CHECK_EQUAL(uses.used[0].first, made.key.id);
  CAF_CHECK_EQUAL(uses.used[0].second, now);
  CAF_CHECK(book.take_key_uses(*table).used.empty());
  CAF_CHECK(book.take_key_uses(*book.make_table()).used.empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
