/// Who may use the server: an immutable snapshot of tenants and keys, looked up without locks and
/// without I/O.
#pragma once

#include "actors/ledger.hpp"
#include "config/settings.hpp"
#include "http/request.hpp"
#include "messages/accounts.hpp"
#include "messages/turn.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

namespace lang_agent {

/// No slow hash: keys are random and as long as what they would be hashed to, so there is nothing
/// to guess that a slow hash would protect.
key_digest digest_of_key(std::string_view key);

/// Of the key in an `Authorization: Bearer KEY` header; none: there is no key.
std::optional<key_digest> presented_key(std::string_view authorization);

/// Of a key that has no id of its own. Tells it from the other keys of a server, and nothing about
/// the key.
std::string id_of_key(const key_digest& x);

/// A tenant in one version of its settings, with the account that all versions share.
struct tenant {
  tenant_settings settings;
  std::shared_ptr<ledger> account;
  std::shared_ptr<const std::vector<price_settings>> prices;
  share_ptr share; ///< its part of places at upstreams where they are scarce

  const std::string& name() const {
    return settings.name;
  }

  bool may_use(std::string_view model) const;
  token_price price_of(std::string_view model) const;
};

using tenant_ptr = std::shared_ptr<const tenant>;

/// A tenant's key: whoever presents it is this caller.
struct caller {
  tenant_ptr owner;    ///< null: an admin
  std::string key;     ///< its id, for limits, records and the log; tells nothing of it
  unix_ms expires = 0; ///< 0: never
  bool disabled = false;
  mutable std::atomic<unix_ms> last_used{0};
};

using caller_ptr = std::shared_ptr<const caller>;

/// Of an authenticated request.
const caller& caller_of(const http::request_head& head);

/// What is left to a caller of its limits by the minute.
rates_left rates_of(const caller& x);

/// Keys of the admin API. Immutable.
class admin_keys {
public:
  explicit admin_keys(const std::vector<std::string>& keys);

  bool empty() const {
    return keys_.empty();
  }

  /// Null: it is none of them.
  caller_ptr authenticate(std::string_view authorization) const;

private:
  std::map<key_digest, caller_ptr> keys_;
};

/// The accounts of all tenants that there ever were in this process.
class ledger_book {
public:
  using maker = std::function<std::shared_ptr<ledger>(const std::string& tenant)>;

  explicit ledger_book(maker make) : make_(std::move(make)) {}

  const std::shared_ptr<ledger>& of(const std::string& tenant);

private:
  maker make_;
  std::map<std::string, std::shared_ptr<ledger>> ledgers_;
};

/// Keys are kept and compared as digests: a lookup tells an attacker nothing about how close a
/// guess is. Thread-safe.
class tenant_table {
public:
  /// `keys`: beside those of the settings; those of unknown tenants are left out.
  tenant_table(const std::vector<tenant_settings>& settings, const std::vector<stored_key>& keys,
               const std::vector<price_settings>& prices, ledger_book& book);

  /// Whoever an `Authorization: Bearer KEY` header belongs to, or what to tell it.
  std::variant<caller_ptr, failure> authenticate(std::string_view authorization, unix_ms now) const;

  const std::vector<tenant_ptr>& tenants() const {
    return tenants_;
  }

  template <class Visit>
  void for_each_caller(Visit visit) const {
    for (const auto& [digest, holder] : keys_)
      visit(*holder);
  }

  /// Turns in flight of all tenants.
  std::size_t turns() const;

private:
  struct first_bytes {
    std::size_t operator()(const key_digest& x) const;
  };

  std::vector<tenant_ptr> tenants_;
  std::unordered_map<key_digest, caller_ptr, first_bytes> keys_;
};

} // namespace lang_agent
