/// Tenants and keys, from the config and from the store, and what may be changed about them. No
/// actor, no I/O: changes are planned here, made by the store, then applied here.
///
/// The config wins: a tenant that it names is as it says there, and cannot be changed otherwise. It
/// may have keys in the store beside its own; they rest while there is no tenant of that id.
#pragma once

#include "actors/tenants.hpp"
#include "http/account_codec.hpp"

#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace lang_agent {

struct new_key {
  std::string tenant = {};
  http::key_change what = {};
};

struct key_update {
  std::string id = {};
  http::key_change what = {};
};

/// A new key like that one, which stays good for so long.
struct key_rotation {
  std::string id = {};
  std::int64_t overlap_s = 0;
};

/// What can be asked for. A `tenant_settings` is the whole tenant, new or not.
using account_command =
    std::variant<tenant_settings, remove_tenant, new_key, key_update, key_rotation, remove_key>;

/// What the store has to do for a command.
struct account_plan {
  admin_change change = {};
  std::string secret = {}; ///< of a new key: the key itself
  stored_key key = {};     ///< the new or changed one
};

/// What a store had, understood. Keys are by id.
struct known_accounts {
  std::map<std::string, tenant_settings> tenants = {};
  std::map<std::string, stored_key> keys = {};
};

/// Throws std::runtime_error that says what cannot be read.
known_accounts understand(stored_accounts stored);

class account_book {
public:
  account_book(ledger_book ledgers, known_accounts stored);

  void configure(std::vector<tenant_settings> tenants, std::vector<price_settings> prices);

  /// All of them, for requests that come from now on.
  std::shared_ptr<const tenant_table> make_table();

  /// All tenants, those of the config first.
  std::vector<tenant_settings> tenants() const;

  /// `who` asks, for the audit log.
  std::variant<account_plan, failure> plan(const account_command& x, const std::string& who,
                                           unix_ms now) const;

  /// The change of a plan was made.
  void apply(const admin_change& x);

  /// What to answer when a command's change is made: JSON.
  std::string result_of(const account_command& x, const account_plan& made) const;

  // Questions; answers are JSON.
  std::string list_tenants() const;
  std::variant<std::string, failure> show_tenant(const std::string& id) const;
  std::variant<std::string, failure> list_keys(const std::string& tenant) const;

  /// Last uses of stored keys that were not known here yet; from now on they are.
  touch_keys take_key_uses(const tenant_table& table);

private:
  using planned = std::variant<account_plan, failure>;

  planned plan_for(const tenant_settings& x, unix_ms now) const;
  planned plan_for(const remove_tenant& x, unix_ms now) const;
  planned plan_for(const new_key& x, unix_ms now) const;
  planned plan_for(const key_update& x, unix_ms now) const;
  planned plan_for(const key_rotation& x, unix_ms now) const;
  planned plan_for(const remove_key& x, unix_ms now) const;

  const tenant_settings* find_configured(const std::string& id) const;
  bool exists(const std::string& id) const;
  bool has_keys(const std::string& tenant) const;

  ledger_book ledgers_;
  std::vector<tenant_settings> configured_;
  std::vector<price_settings> prices_;
  known_accounts stored_;
};

} // namespace lang_agent
