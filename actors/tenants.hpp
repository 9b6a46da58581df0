/// Who may use the server: an immutable snapshot of tenants and keys, looked up without locks.
#pragma once

#include "config/settings.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace lang_agent {

/// A place among a tenant's turns in flight; given back when the last copy dies.
using turn_permit = std::shared_ptr<void>;

class tenant : public std::enable_shared_from_this<tenant> {
public:
  explicit tenant(const tenant_settings& settings)
      : name(settings.name), max_turns_(settings.max_turns) {}

  /// Null when the tenant has as many turns in flight as it may. Thread-safe.
  turn_permit try_acquire();

  std::size_t turns() const {
    return turns_.load();
  }

  const std::string name;

private:
  std::size_t max_turns_;
  std::atomic<std::size_t> turns_{0};
};

/// Keys are kept and compared as SHA-256: a lookup tells an attacker nothing about how close a
/// guess is. Thread-safe.
class tenant_table {
public:
  explicit tenant_table(const std::vector<tenant_settings>& settings);

  /// The index of the tenant that an `Authorization: Bearer KEY` header belongs to.
  std::optional<std::size_t> authenticate(std::string_view authorization) const;

  tenant& at(std::size_t index) const {
    return *tenants_[index];
  }

  /// Turns in flight of all tenants.
  std::size_t turns() const;

private:
  using key_digest = std::array<unsigned char, 32>;

  struct first_bytes {
    std::size_t operator()(const key_digest& x) const;
  };

  static key_digest digest_of(std::string_view key);

  std::vector<std::shared_ptr<tenant>> tenants_;
  std::unordered_map<key_digest, std::size_t, first_bytes> keys_;
};

} // namespace lang_agent
