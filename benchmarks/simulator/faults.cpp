#include "benchmarks/simulator/faults.hpp"

#include "benchmarks/simulator/random.hpp"
#include "http/json.hpp"

#include <sstream>

namespace lang_agent::simulator {

namespace {

void append_member(std::string& out, std::string_view name, std::string_view text) {
  out += ",\"" + std::string{name} + "\":";
  http::append_json_string(out, text);
}

void append_number(std::string& out, std::string_view name, double x) {
  std::ostringstream number;
  number << x;
  out += ",\"" + std::string{name} + "\":" + number.str();
}

} // namespace

std::string_view name_of(fault_kind kind) {
  switch (kind) {
#define NAME(kind_name)                                                                            \
  case fault_kind::kind_name:                                                                      \
    return #kind_name;
    NAME(rate_limit)
    NAME(server_error)
    NAME(expired_key)
    NAME(forbidden)
    NAME(not_found_model)
    NAME(context_too_long)
    NAME(bad_request)
    NAME(slow)
    NAME(slow_head)
    NAME(stall)
    NAME(cut)
    NAME(malformed)
    NAME(wrong_type)
    NAME(error_in_stream)
    NAME(no_done)
    NAME(empty)
    NAME(tls_failure)
#undef NAME
  }
  return "?";
}

fault_chooser::fault_chooser(std::uint64_t seed, std::vector<fault_rule> rules) : seed_(seed) {
  for (auto& rule : rules)
    rules_.push_back({std::make_shared<const fault_rule>(std::move(rule))});
}

bool fault_chooser::hits(std::size_t index, std::uint64_t n) {
  auto& x = rules_[index];
  if (x.rule->limit > 0 && x.hits >= x.rule->limit)
    return false;
  ++x.seen;
  if (fraction(scatter(seed_, index, n)) >= x.rule->share)
    return false;
  ++x.hits;
  return true;
}

std::shared_ptr<const fault_rule> fault_chooser::for_request(std::uint64_t n, std::string_view key,
                                                             std::string_view model) {
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const auto& rule = *rules_[i].rule;
    if (rule.kind == fault_kind::tls_failure || (rule.key && *rule.key != key)
        || (rule.model && *rule.model != model))
      continue;
    if (hits(i, n))
      return rules_[i].rule;
  }
  return nullptr;
}

std::shared_ptr<const fault_rule> fault_chooser::for_connection(std::uint64_t n) {
  for (std::size_t i = 0; i < rules_.size(); ++i)
    if (rules_[i].rule->kind == fault_kind::tls_failure && hits(i, n))
      return rules_[i].rule;
  return nullptr;
}

std::string fault_chooser::json() const {
  std::string out = R"({"faults":[)";
  for (const auto& x : rules_) {
    out += out.back() == '[' ? R"({"name":)" : R"(,{"name":)";
    http::append_json_string(out, x.rule->name);
    append_member(out, "kind", name_of(x.rule->kind));
    append_number(out, "share", x.rule->share);
    if (x.rule->key)
      append_member(out, "key", *x.rule->key);
    if (x.rule->model)
      append_member(out, "model", *x.rule->model);
    append_number(out, "limit", static_cast<double>(x.rule->limit));
    out += R"(,"seen":)" + std::to_string(x.seen) + R"(,"hits":)" + std::to_string(x.hits) + "}";
  }
  return out + "]}";
}

} // namespace lang_agent::simulator
