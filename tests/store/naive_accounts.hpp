/// The part of the naive store that knows tenants, keys, audit log and usage.
#pragma once

#include "messages/threads.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace lang_agent::test {

class naive_accounts {
public:
  change_result apply(const admin_change& change) {
    auto about = std::visit([this](const auto& x) { return make(x); }, change.what);
    if (const auto* why = std::get_if<refusal>(&about))
      return *why;
    audit_.push_back(change.audit);
    audit_.back().number = audit_.size();
    audit_.back().tenant = std::get<std::string>(about);
    return {};
  }

  change_result apply(const touch_keys& change) {
    for (const auto& [id, at] : change.used)
      for (auto& k : keys_)
        if (k.id == id)
          k.last_used = std::max(k.last_used, at);
    return {};
  }

  change_result apply(const add_usage& change) {
    for (const auto& row : change.rows) {
      auto found = std::find_if(usage_.begin(), usage_.end(),
                                [&](const usage_row& x) { return x.key == row.key; });
      if (found == usage_.end())
        found = usage_.insert(usage_.end(), {row.key, {}});
      found->counts += row.counts;
    }
    return {};
  }

  query_result answer(const list_accounts&) const {
    stored_accounts out{tenants_, keys_};
    const auto by_id = [](const auto& a, const auto& b) { return a.id < b.id; };
    std::sort(out.tenants.begin(), out.tenants.end(), by_id);
    std::sort(out.keys.begin(), out.keys.end(), by_id);
    return out;
  }

  query_result answer(const list_audit& query) const {
    auto all = audit_;
    std::reverse(all.begin(), all.end());
    std::erase_if(all, [&](const audit_entry& x) {
      return (query.after != 0 && x.number >= query.after)
             || (query.tenant && x.tenant != *query.tenant)
             || (query.object && x.object != *query.object);
    });
    return first_of(all, query.limit);
  }

  query_result answer(const read_usage& query) const {
    auto all = usage_;
    std::erase_if(all, [&](const usage_row& x) {
      return x.key.day < query.first_day || x.key.day > query.last_day
             || (query.tenant && x.key.tenant != *query.tenant)
             || (query.key && x.key.key != *query.key)
             || (query.model && x.key.model != *query.model)
             || (query.after && !(*query.after < x.key));
    });
    std::sort(all.begin(), all.end(),
              [](const usage_row& a, const usage_row& b) { return a.key < b.key; });
    return first_of(all, query.limit);
  }

private:
  using tenant_or_refusal = std::variant<std::string, refusal>;

  tenant_or_refusal make(const put_tenant& x) {
    std::erase_if(tenants_, [&](const auto& t) { return t.id == x.tenant.id; });
    tenants_.push_back(x.tenant);
    return x.tenant.id;
  }

  tenant_or_refusal make(const remove_tenant& x) {
    if (std::erase_if(tenants_, [&](const auto& t) { return t.id == x.id; }) == 0)
      return refusal::no_account;
    std::erase_if(keys_, [&](const auto& k) { return k.tenant == x.id; });
    return x.id;
  }

  tenant_or_refusal make(const put_key& x) {
    auto key = x.key;
    for (const auto& k : keys_) {
      if (k.id != key.id && k.digest == key.digest)
        return refusal::key_taken;
      if (k.id == key.id)
        key.last_used = std::max(key.last_used, k.last_used);
    }
    std::erase_if(keys_, [&](const auto& k) { return k.id == key.id; });
    keys_.push_back(key);
    return key.tenant;
  }

  tenant_or_refusal make(const remove_key& x) {
    for (const auto& k : keys_)
      if (k.id == x.id) {
        auto tenant = k.tenant;
        std::erase_if(keys_, [&](const auto& other) { return other.id == x.id; });
        return tenant;
      }
    return refusal::no_account;
  }

  tenant_or_refusal make(const rotate_key& x) {
    const auto is_old = [&](const stored_key& k) { return k.id == x.id; };
    if (std::none_of(keys_.begin(), keys_.end(), is_old))
      return refusal::no_account;
    auto about = make(put_key{x.fresh});
    if (std::holds_alternative<std::string>(about))
      std::find_if(keys_.begin(), keys_.end(), is_old)->expires = x.expires;
    return about;
  }

  template <class T>
  static page<T> first_of(std::vector<T> all, std::size_t limit) {
    page<T> out{std::move(all), false};
    out.has_more = out.data.size() > limit;
    if (out.has_more)
      out.data.resize(limit);
    return out;
  }

  std::vector<stored_tenant> tenants_ = {};
  std::vector<stored_key> keys_ = {};
  std::vector<audit_entry> audit_ = {};
  std::vector<usage_row> usage_ = {};
};

} // namespace lang_agent::test
