/// Tenants whose requests need no key.
#pragma once

#include "actors/tenants.hpp"

namespace lang_agent::test {

/// A caller of a tenant with these settings.
inline caller_ptr caller_with(tenant_settings x, const std::vector<price_settings>& prices = {}) {
  x.keys = {"key"};
  ledger_book book{[](const std::string& tenant) { return std::make_shared<ledger>(tenant); }};
  const tenant_table table{{std::move(x)}, {}, prices, book};
  return std::get<caller_ptr>(table.authenticate("Bearer key", 0));
}

inline caller_ptr caller_of_tenant(const std::string& name, std::size_t max_turns) {
  tenant_settings x;
  x.name = name;
  x.limits.max_turns = max_turns;
  return caller_with(std::move(x));
}

} // namespace lang_agent::test
