/// What tenants and their keys have used this month, for budgets that outlive a restart.
#pragma once

#include "actors/ledger.hpp"
#include "store/thread_store.hpp"

#include <cstdint>
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
  struct sums {
    std::uint64_t day_tokens = 0;
    std::uint64_t day_cost = 0;
    std::uint64_t month_tokens = 0;
    std::uint64_t month_cost = 0;

    void add(const usage_counts& x, bool is_today);
  };

  std::map<std::pair<std::string, std::string>, sums> of_; ///< tenant and key; "": all its keys
};

} // namespace lang_agent
