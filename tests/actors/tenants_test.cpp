#define CAF_SUITE tenants
#include "tests/test.hpp"

#include "actors/published.hpp"
#include "actors/tenants.hpp"

#include <thread>

using namespace lang_agent;

namespace {

tenant_settings named(const std::string& name, std::vector<std::string> keys) {
  tenant_settings out;
  out.name = name;
  out.keys = std::move(keys);
  return out;
}

struct tenants_fixture {
  ledger_book book{[](const std::string& x) { return std::make_shared<ledger>(x); }};
  tenant_table table{{named("a", {"key-1", "key-2"}), named("b", {"key-3"})}, {}, {}, book};

  /// "": nobody.
  std::string owner_of(const std::string& authorization) {
    const auto who = find(authorization);
    return who ? who->owner->name() : "";
  }

  caller_ptr find(const std::string& authorization) {
    auto out = table.authenticate(authorization, 5000);
    return std::holds_alternative<caller_ptr>(out) ? std::get<caller_ptr>(out) : nullptr;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(tenants_tests, tenants_fixture)

CAF_TEST(a key belongs to its tenant) {
  CAF_CHECK_EQUAL(owner_of("Bearer key-1"), "a");
  CAF_CHECK_EQUAL(owner_of("bearer  key-2 "), "a");
  CAF_CHECK_EQUAL(owner_of("BEARER\tkey-3"), "b");
}

CAF_TEST(anything else belongs to nobody) {
  for (const char* x : {"", "Bearer", "Bearer ", "Bearerkey-1", "Basic key-1", "key-1",
                        "Bearer key-1x", "Bearer key-", "Bearer KEY-1", "Bearer key-1 key-2"})
    CAF_CHECK(!find(x));
}

CAF_TEST(two keys have two ids that tell nothing of them) {
  const auto one = find("Bearer key-1")->key;
  const auto two = find("Bearer key-2")->key;
  CAF_CHECK_NOT_EQUAL(one, two);
  CAF_CHECK_EQUAL(one.size(), 16u);
  CAF_CHECK(one.find("key-1") == std::string::npos);
}

CAF_TEST(the last use of a key is noted) {
  CAF_CHECK_EQUAL(find("Bearer key-1")->last_used.load(), 5000);
}

CAF_TEST(a new version of a tenant keeps its account) {
  auto x = named("a", {"key-9"});
  x.limits.max_turns = 1;
  const tenant_table newer{{x}, {}, {}, book};
  const auto before = find("Bearer key-1");
  const auto after = std::get<caller_ptr>(newer.authenticate("Bearer key-9", 0));
  CAF_CHECK(before->owner->account == after->owner->account);
  const auto place = before->owner->account->reserve({before->key, "m"});
  CAF_CHECK(std::holds_alternative<reservation_ptr>(place));
  CAF_CHECK(std::holds_alternative<failure>(after->owner->account->reserve({after->key, "m"})));
}

CAF_TEST(a tenant may use the models that are listed for it) {
  tenant x{named("a", {}), nullptr, nullptr, nullptr};
  CAF_CHECK(x.may_use("anything"));
  x.settings.models = {"gpt-*", "small"};
  CAF_CHECK(x.may_use("gpt-5"));
  CAF_CHECK(x.may_use("small"));
  CAF_CHECK(!x.may_use("smaller"));
}

CAF_TEST(the first price that fits a model counts) {
  const std::vector<price_settings> prices{{{"gpt-4*", "o1"}, {1, 2}}, {{"*"}, {3, 4}}};
  const tenant_table priced{{named("a", {"key"})}, {}, prices, book};
  const auto owner = std::get<caller_ptr>(priced.authenticate("Bearer key", 0))->owner;
  CAF_CHECK_EQUAL(owner->price_of("o1").completion, 2u);
  CAF_CHECK_EQUAL(owner->price_of("gpt-4o").prompt, 1u);
  CAF_CHECK_EQUAL(owner->price_of("other").prompt, 3u);
  CAF_CHECK_EQUAL(find("Bearer key-1")->owner->price_of("other").prompt, 0u);
}

CAF_TEST_FIXTURE_SCOPE_END()

CAF_TEST(what is published is seen by every thread at its next look) {
  published<int> value{std::make_shared<const int>(1)};
  CAF_CHECK_EQUAL(*value.current(), 1);
  std::thread other{[&] {
    CAF_CHECK_EQUAL(*value.current(), 1);
    value.publish(std::make_shared<const int>(2));
    CAF_CHECK_EQUAL(*value.current(), 2);
  }};
  other.join();
  CAF_CHECK_EQUAL(*value.current(), 2);
}

CAF_TEST(readers never see an older version after a newer one) {
  published<int> value{std::make_shared<const int>(0)};
  std::atomic<bool> wrong{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i)
    readers.emplace_back([&] {
      for (int last = 0; last < 1000;) {
        const auto now = *value.current();
        wrong = wrong || now < last;
        last = now;
      }
    });
  for (int i = 1; i <= 1000; ++i)
    value.publish(std::make_shared<const int>(i));
  for (auto& x : readers)
    x.join();
  CAF_CHECK(!wrong);
}

CAF_TEST(two published values of one kind do not meet) {
  published<int> one{std::make_shared<const int>(1)};
  published<int> two{std::make_shared<const int>(2)};
  CAF_CHECK_EQUAL(*one.current() + *two.current(), 3);
}
