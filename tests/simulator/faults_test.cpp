#define CAF_SUITE simulator_faults
#include "tests/test.hpp"

#include "benchmarks/simulator/faults.hpp"

#include <algorithm>
#include <cmath>

using namespace lang_agent;
using simulator::fault_chooser;
using simulator::fault_kind;
using simulator::fault_rule;

namespace {

fault_rule rule(const std::string& name, double share = 1,
                fault_kind kind = fault_kind::server_error) {
  fault_rule out;
  out.name = name;
  out.kind = kind;
  out.share = share;
  return out;
}

/// The names of the faults of requests 1 to `count`; "-" for none.
std::vector<std::string> names(fault_chooser& x, std::uint64_t count, std::string_view key = "k",
                               std::string_view model = "m") {
  std::vector<std::string> out;
  for (std::uint64_t n = 1; n <= count; ++n) {
    const auto fault = x.for_request(n, key, model);
    out.push_back(fault ? fault->name : "-");
  }
  return out;
}

std::vector<std::string> names(std::uint64_t seed, std::vector<fault_rule> rules,
                               std::uint64_t count) {
  fault_chooser x{seed, std::move(rules)};
  return names(x, count);
}

double share_of(const std::vector<std::string>& all, const std::string& name) {
  return static_cast<double>(std::count(all.begin(), all.end(), name))
         / static_cast<double>(all.size());
}

} // namespace

CAF_TEST(the same seed and requests give the same faults) {
  const std::vector<fault_rule> rules{rule("a", 0.3), rule("b", 0.3)};
  CAF_CHECK(names(1, rules, 1000) == names(1, rules, 1000));
  CAF_CHECK(names(1, rules, 1000) != names(2, rules, 1000));
}

CAF_TEST(the fault of a request does not depend on the requests before it) {
  fault_chooser all{1, {rule("a", 0.5)}};
  fault_chooser last{1, {rule("a", 0.5)}};
  const auto expected = names(all, 100).back();
  const auto fault = last.for_request(100, "k", "m");
  CAF_CHECK_EQUAL(fault ? fault->name : "-", expected);
}

CAF_TEST(shares are kept within tolerance and each rule sees what those before it left) {
  const auto found = names(1, {rule("a", 0.1), rule("b", 0.5), rule("c", 0)}, 50'000);
  CAF_CHECK(std::abs(share_of(found, "a") - 0.1) < 0.01);
  CAF_CHECK(std::abs(share_of(found, "b") - 0.45) < 0.01);
  CAF_CHECK_EQUAL(share_of(found, "c"), 0);
  CAF_CHECK_EQUAL(share_of(names(1, {rule("a", 1)}, 1000), "a"), 1);
}

CAF_TEST(rules look at key and model) {
  auto by_key = rule("key");
  by_key.key = "sk-a";
  auto by_model = rule("model");
  by_model.model = "big";
  fault_chooser x{1, {by_key, by_model}};
  using strings = std::vector<std::string>;
  CAF_CHECK(names(x, 2, "sk-a", "m") == strings({"key", "key"}));
  CAF_CHECK(names(x, 2, "sk-b", "m") == strings({"-", "-"}));
  CAF_CHECK(names(x, 1, "sk-b", "big") == strings({"model"}));
  CAF_CHECK(names(x, 1, "", "big") == strings({"model"}));
}

CAF_TEST(a limit ends a rule) {
  auto twice = rule("a");
  twice.limit = 2;
  fault_chooser x{1, {twice, rule("b")}};
  CAF_CHECK(names(x, 4) == std::vector<std::string>({"a", "a", "b", "b"}));
  CAF_CHECK_NOT_EQUAL(x.json().find(R"("name":"a","kind":"server_error","share":1,"limit":2,)"
                                    R"("seen":2,"hits":2)"),
                      std::string::npos);
}

CAF_TEST(failures of TLS are about connections and all others about requests) {
  fault_chooser x{1, {rule("tls", 1, fault_kind::tls_failure), rule("other")}};
  CAF_CHECK_EQUAL(x.for_request(1, "k", "m")->name, "other");
  CAF_CHECK_EQUAL(x.for_connection(1)->name, "tls");
  fault_chooser none{1, {rule("other")}};
  CAF_CHECK(!none.for_connection(1));
}
