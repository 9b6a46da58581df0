#include "store/memory_accounts.hpp"

#include <algorithm>
#include <ranges>

namespace lang_agent::store {

// -- administration -------------------------------------------------------------------------------

change_result memory_accounts::apply(const admin_change& change) {
  // Such changes are rare: all there was is kept until the commit is made.
  undo_.emplace_back([this, tenants = tenants_, keys = keys_, entries = audit_.size()] {
    tenants_ = tenants;
    keys_ = keys;
    audit_.resize(entries);
  });
  const auto about = std::visit([this](const auto& what) { return make(what); }, change.what);
  if (const auto* why = std::get_if<refusal>(&about))
    return *why;
  auto& entry = audit_.emplace_back(change.audit);
  entry.number = audit_.size();
  entry.tenant = std::get<std::string>(about);
  return {};
}

memory_accounts::tenant_or_refusal memory_accounts::make(const put_tenant& x) {
  tenants_[x.tenant.id] = x.tenant;
  return x.tenant.id;
}

memory_accounts::tenant_or_refusal memory_accounts::make(const remove_tenant& x) {
  if (tenants_.erase(x.id) == 0)
    return refusal::no_account;
  std::erase_if(keys_, [&](const auto& key) { return key.second.tenant == x.id; });
  return x.id;
}

memory_accounts::tenant_or_refusal memory_accounts::make(const put_key& x) {
  const auto is_other = [&](const auto& key) {
    return key.second.digest == x.key.digest && key.first != x.key.id;
  };
  if (std::ranges::any_of(keys_, is_other))
    return refusal::key_taken;
  auto& key = keys_[x.key.id];
  const auto last_used = std::max(key.last_used, x.key.last_used);
  key = x.key;
  key.last_used = last_used;
  return key.tenant;
}

memory_accounts::tenant_or_refusal memory_accounts::make(const remove_key& x) {
  const auto found = keys_.find(x.id);
  if (found == keys_.end())
    return refusal::no_account;
  auto tenant = std::move(found->second.tenant);
  keys_.erase(found);
  return tenant;
}

memory_accounts::tenant_or_refusal memory_accounts::make(const rotate_key& x) {
  if (!keys_.contains(x.id))
    return refusal::no_account;
  auto out = make(put_key{x.fresh});
  if (std::holds_alternative<std::string>(out))
    keys_.at(x.id).expires = x.expires;
  return out;
}

change_result memory_accounts::apply(const touch_keys& change) {
  for (const auto& [id, at] : change.used) {
    const auto found = keys_.find(id);
    if (found == keys_.end() || found->second.last_used >= at)
      continue;
    undo_.emplace_back(
        [this, name = id, before = found->second.last_used] { keys_.at(name).last_used = before; });
    found->second.last_used = at;
  }
  return {};
}

query_result memory_accounts::answer(const list_accounts&) const {
  stored_accounts out;
  for (const auto& [id, tenant] : tenants_)
    out.tenants.push_back(tenant);
  for (const auto& [id, key] : keys_)
    out.keys.push_back(key);
  return out;
}

query_result memory_accounts::answer(const list_audit& query) const {
  page<audit_entry> out;
  for (const auto& x : std::views::reverse(audit_)) {
    if ((query.after != 0 && x.number >= query.after) || (query.tenant && x.tenant != *query.tenant)
        || (query.object && x.object != *query.object))
      continue;
    out.has_more = out.data.size() == query.limit;
    if (out.has_more)
      break;
    out.data.push_back(x);
  }
  return out;
}

// -- usage ----------------------------------------------------------------------------------------

change_result memory_accounts::apply(const add_usage& change) {
  for (const auto& row : change.rows) {
    const auto [found, is_new] = usage_.try_emplace(row.key);
    if (is_new)
      undo_.emplace_back([this, key = row.key] { usage_.erase(key); });
    else
      undo_.emplace_back(
          [this, key = row.key, before = found->second] { usage_.at(key) = before; });
    found->second += row.counts;
  }
  return {};
}

query_result memory_accounts::answer(const read_usage& query) const {
  page<usage_row> out;
  auto next = query.after ? usage_.upper_bound(*query.after) : usage_.begin();
  for (; next != usage_.end() && !out.has_more; ++next) {
    const auto& [key, counts] = *next;
    if (key.day < query.first_day || key.day > query.last_day
        || (query.tenant && key.tenant != *query.tenant) || (query.key && key.key != *query.key)
        || (query.model && key.model != *query.model))
      continue;
    out.has_more = out.data.size() == query.limit;
    if (!out.has_more)
      out.data.push_back({key, counts});
  }
  return out;
}

// -- totals ---------------------------------------------------------------------------------------

tenant_totals memory_accounts::totals(const std::string& tenant) const {
  const auto found = totals_.find(tenant);
  return found == totals_.end() ? tenant_totals{} : found->second;
}

void memory_accounts::add_totals(const std::string& tenant, const tenant_totals& x) {
  const auto now = totals(tenant);
  set_totals(tenant, {now.threads + x.threads, now.bytes + x.bytes});
}

void memory_accounts::take_totals(const std::string& tenant, const tenant_totals& x) {
  const auto now = totals(tenant);
  set_totals(tenant, {now.threads - x.threads, now.bytes - x.bytes});
}

void memory_accounts::set_totals(const std::string& tenant, const tenant_totals& x) {
  auto& now = totals_[tenant];
  undo_.emplace_back([this, tenant, before = now] { totals_[tenant] = before; });
  now = x;
}

} // namespace lang_agent::store
