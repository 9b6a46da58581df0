/// What tenants and their keys have used this month, for budgets that outlive a restart.
#pragma once

#include "actors/ledger.hpp"
#include "store/thread_store.hpp"

#include <map>
#include <string>
#include <utility>

namespace lang_agent {

class past_usage {
public:
  /// Reads the store; throws `store::storage_error`.
  past_usage(store::thread_store& from, unix_ms now);

  /// Gives a tenant's account, and those of its keys, what they have used.
  void restore(ledger& account, const std::string& tenant) const;

private:
  unix_ms read_at_;
  std::map<std::pair<std::string, std::string>, past_use> of_; ///< tenant and key; "": all its keys
};

} // namespace lang_agent
