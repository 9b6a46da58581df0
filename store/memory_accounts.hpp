/// Tenants, keys, audit log, usage and totals of the memory engine.
#pragma once

#include "messages/threads.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

namespace lang_agent::store {

class memory_accounts {
public:
  using undo_list = std::vector<std::function<void()>>;

  /// Each change adds to `undo` what takes it back. The list must outlive this.
  explicit memory_accounts(undo_list& undo) : undo_(undo) {}

  memory_accounts(const memory_accounts&) = delete;
  memory_accounts& operator=(const memory_accounts&) = delete;

  change_result apply(const admin_change& change);
  change_result apply(const add_usage& change);
  change_result apply(const touch_keys& change);

  query_result answer(const list_accounts& query) const;
  query_result answer(const list_audit& query) const;
  query_result answer(const read_usage& query) const;

  tenant_totals totals(const std::string& tenant) const;
  void add_totals(const std::string& tenant, const tenant_totals& x);
  void take_totals(const std::string& tenant, const tenant_totals& x);

private:
  /// Whom a change was about.
  using tenant_or_refusal = std::variant<std::string, refusal>;

  tenant_or_refusal make(const put_tenant& x);
  tenant_or_refusal make(const remove_tenant& x);
  tenant_or_refusal make(const put_key& x);
  tenant_or_refusal make(const remove_key& x);
  tenant_or_refusal make(const rotate_key& x);

  void set_totals(const std::string& tenant, const tenant_totals& x);

  undo_list& undo_;
  std::map<std::string, stored_tenant> tenants_; ///< by id
  std::map<std::string, stored_key> keys_;       ///< by id
  std::vector<audit_entry> audit_;               ///< numbers are indices plus 1
  std::map<usage_key, usage_counts> usage_;
  std::unordered_map<std::string, tenant_totals> totals_; ///< by tenant
};

} // namespace lang_agent::store
