#include "messages/accounts.hpp"

#include <limits>
#include <tuple>

namespace lang_agent {

namespace {

constexpr auto most = std::numeric_limits<std::int64_t>::max();
constexpr auto least = std::numeric_limits<std::int64_t>::min();

void add(std::uint64_t& to, std::uint64_t x) {
  constexpr auto bound = static_cast<std::uint64_t>(most);
  to = x >= bound || to >= bound - x ? bound : to + x;
}

void add(std::int64_t& to, std::int64_t x) {
  if (x > 0)
    to = to > most - x ? most : to + x;
  else
    to = to < least - x ? least : to + x;
}

} // namespace

bool operator<(const usage_key& a, const usage_key& b) {
  return std::tie(a.day, a.tenant, a.key, a.model) < std::tie(b.day, b.tenant, b.key, b.model);
}

usage_counts& usage_counts::operator+=(const usage_counts& other) {
  add(requests, other.requests);
  add(estimated, other.estimated);
  add(cancelled, other.cancelled);
  add(failed, other.failed);
  add(prompt_tokens, other.prompt_tokens);
  add(completion_tokens, other.completion_tokens);
  add(cost, other.cost);
  return *this;
}

} // namespace lang_agent
