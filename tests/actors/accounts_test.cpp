#define CAF_SUITE accounts
#include "tests/actors/journal_fixture.hpp"

#include "actors/account_messages.hpp"
#include "actors/accounts.hpp"

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

using account_inbox = test::received<account_answer>;

struct accounts_fixture : journal_fixture {
  std::shared_ptr<journal_gate> gate = std::make_shared<journal_gate>(1024 * 1024);
  std::shared_ptr<account_inbox> asker = std::make_shared<account_inbox>();
  std::shared_ptr<published<tenant_table>> tenants;
  std::vector<std::size_t> told; ///< how many tenants there were at each change
  account_client_actor asker_actor;
  accounts_actor accounts;

  accounts_fixture() {
    start();
    asker_actor = adopt(sys.spawn([in = asker]() -> account_client_actor::behavior_type {
      return {collect<account_answer>(in)};
    }));
    accounts_options out;
    out.book = std::make_shared<account_book>(
        ledger_book{[](const std::string& x) { return std::make_shared<ledger>(x); }},
        known_accounts{});
    tenants = std::make_shared<published<tenant_table>>(out.book->make_table());
    out.tenants = tenants;
    out.journal = {aut, gate};
    out.on_change = [this](const auto& x) { told.push_back(x.size()); };
    accounts = adopt(spawn_accounts(sys, std::move(out)));
  }

  ~accounts_fixture() {
    kill(accounts);
  }

  void command(account_command x) {
    send(accounts, change_account{std::move(x), "key_admin", asker_actor});
  }

  static tenant_settings acme(std::size_t max_turns = 1) {
    tenant_settings out;
    out.name = "acme";
    out.limits.max_turns = max_turns;
    return out;
  }

  /// The last answer; a failure's code in the place of JSON.
  std::string answer() {
    const auto& x = asker->last<account_answer>().result;
    if (const auto* why = std::get_if<failure>(&x))
      return std::string{contract_of(why->kind).code};
    return std::get<std::string>(x);
  }

  std::size_t answers() const {
    return asker->count<account_answer>();
  }

  std::size_t known() const {
    return tenants->current()->tenants().size();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(accounts_tests, accounts_fixture)

CAF_TEST(a change is stored with its audit entry and then published) {
  command(acme());
  CAF_CHECK(answer().find(R"("id":"acme")") != std::string::npos);
  CAF_CHECK_EQUAL(known(), 1u);
  CAF_CHECK(told == std::vector<std::size_t>{1});
  CAF_REQUIRE_EQUAL(control->changes.size(), 1u);
  const auto& made = std::get<admin_change>(control->changes[0]);
  CAF_CHECK_EQUAL(made.audit.who, "key_admin");
  CAF_CHECK_EQUAL(made.audit.action, "tenant.created");
}

CAF_TEST(what the store did not make is not published) {
  control->broken = true;
  command(acme());
  CAF_CHECK_EQUAL(answer(), "storage_unavailable");
  CAF_CHECK_EQUAL(known(), 0u);
  control->broken = false;
  command(acme());
  CAF_CHECK_EQUAL(known(), 1u);
}

CAF_TEST(a full queue of the journal refuses a change) {
  const auto place = gate->try_enter(1'000'000'000);
  command(acme());
  CAF_CHECK_EQUAL(answer(), "storage_unavailable");
  CAF_CHECK_EQUAL(known(), 0u);
}

CAF_TEST(commands that come at once are made one after the other) {
  for (std::size_t i = 1; i <= 3; ++i)
    caf::anon_send(accounts, change_account{acme(i), "key_admin", asker_actor});
  caf::anon_send(accounts, change_account{new_key{"acme", {}}, "key_admin", asker_actor});
  caf::anon_send(accounts, change_account{remove_tenant{"acme"}, "key_admin", asker_actor});
  caf::anon_send(accounts, change_account{new_key{"acme", {}}, "key_admin", asker_actor});
  sched.run();
  CAF_CHECK_EQUAL(answers(), 6u);
  CAF_CHECK_EQUAL(answer(), "tenant_not_found");
  CAF_CHECK_EQUAL(known(), 0u);
}

CAF_TEST(a rotation is one change) {
  command(acme());
  command(new_key{"acme", {}});
  const auto commits = control->commits.size();
  const auto id = std::get<put_key>(std::get<admin_change>(control->changes.back()).what).key.id;
  command(key_rotation{id, 60});
  CAF_CHECK(answer().find(R"("key":"la-)") != std::string::npos);
  CAF_CHECK_EQUAL(control->commits.size(), commits + 1);
  const auto& made = std::get<admin_change>(control->changes.back());
  CAF_CHECK_EQUAL(made.audit.object, id);
  CAF_CHECK(made.audit.detail.find("\"key\":") == std::string::npos); // the secret is nowhere
}

CAF_TEST(more commands than may wait are refused) {
  for (int i = 0; i < 300; ++i)
    caf::anon_send(accounts, change_account{acme(), "key_admin", asker_actor});
  sched.run();
  CAF_CHECK_EQUAL(answers(), 300u);
  std::size_t refused = 0;
  for (const auto& x : asker->all<account_answer>())
    refused += std::holds_alternative<failure>(x.result);
  CAF_CHECK_GREATER(refused, 0u);
  CAF_CHECK_LESS(refused, 50u);
  CAF_CHECK_EQUAL(known(), 1u);
}

CAF_TEST(a refused command is answered and changes nothing) {
  command(new_key{"nobody", {}});
  CAF_CHECK_EQUAL(answer(), "tenant_not_found");
  CAF_CHECK(control->changes.empty());
}

CAF_TEST(the config comes and goes beside what is stored) {
  command(acme());
  tenant_settings configured;
  configured.name = "configured";
  send(accounts, tenants_configured{{configured}, {}});
  CAF_CHECK_EQUAL(known(), 2u);
  send(accounts, tenants_configured{{}, {}});
  CAF_CHECK_EQUAL(known(), 1u);
  CAF_CHECK(told == (std::vector<std::size_t>{1, 2, 1}));
}

CAF_TEST(questions are answered from memory) {
  command(acme());
  const auto asked = control->questions;
  send(accounts, ask_account{account_subject::tenants, "", asker_actor});
  CAF_CHECK(answer().find(R"("id":"acme")") != std::string::npos);
  send(accounts, ask_account{account_subject::keys, "acme", asker_actor});
  CAF_CHECK(answer().find(R"("data":[])") != std::string::npos);
  send(accounts, ask_account{account_subject::tenant, "nobody", asker_actor});
  CAF_CHECK_EQUAL(answer(), "tenant_not_found");
  CAF_CHECK_EQUAL(control->questions, asked);
}

CAF_TEST_FIXTURE_SCOPE_END()
