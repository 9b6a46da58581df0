/// Tenants, their keys, what was changed about them and what they used, as a store keeps it. Plain
/// data.
#pragma once

#include "messages/unix_time.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace lang_agent {

/// SHA-256 of a key. Keys themselves are stored nowhere.
using key_digest = std::array<unsigned char, 32>;

struct stored_tenant {
  std::string id = {};
  std::string settings = {}; ///< JSON that http/ makes; opaque here
};

struct stored_key {
  std::string id = {};
  std::string tenant = {}; ///< may be one that is not stored
  key_digest digest = {};  ///< no two keys have the same
  std::string label = {};
  std::string hint = {}; ///< the last 4 characters
  unix_ms created = 0;
  unix_ms expires = 0; ///< 0: never
  bool disabled = false;
  unix_ms last_used = 0;   ///< 0: never
  std::string limits = {}; ///< JSON that http/ makes; empty: those of the tenant for each key
};

/// What somebody did to a tenant or a key.
struct audit_entry {
  std::uint64_t number = 0; ///< given by the store, from 1, ascending without gaps
  unix_ms at = 0;
  std::string who = {};
  std::string action = {};
  std::string object = {};
  std::string detail = {}; ///< JSON, no secrets
  std::string tenant = {}; ///< given by the store: whom the change was about
};

// -- administrative changes -----------------------------------------------------------------------

/// Replaces the tenant of that id, if there is one.
struct put_tenant {
  stored_tenant tenant = {};
};

/// Removes its keys, too; its threads and its usage stay.
struct remove_tenant {
  std::string id = {};
};

/// Replaces the key of that id, if there is one; its last use never goes back.
struct put_key {
  stored_key key = {};
};

struct remove_key {
  std::string id = {};
};

/// A new key in the place of one that stays good until then.
struct rotate_key {
  std::string id = {};
  unix_ms expires = 0;
  stored_key fresh = {};
};

/// Made together with its audit entry, or refused without one.
struct admin_change {
  std::variant<put_tenant, remove_tenant, put_key, remove_key, rotate_key> what = {};
  audit_entry audit = {};
};

// -- usage ----------------------------------------------------------------------------------------

/// What usage is counted by.
struct usage_key {
  std::string tenant = {};
  std::string key = {}; ///< id
  std::string model = {};
  std::int32_t day = 0; ///< days since 1970-01-01 UTC

  bool operator==(const usage_key&) const = default;
};

/// The order of lists: by day first. What is written on one day then lies together.
bool operator<(const usage_key& a, const usage_key& b);

/// No count passes 2^63 - 1: whatever an upstream claims, it can be stored.
struct usage_counts {
  std::uint64_t requests = 0;
  std::uint64_t estimated = 0; ///< requests whose tokens are estimates
  std::uint64_t cancelled = 0;
  std::uint64_t failed = 0;
  std::uint64_t prompt_tokens = 0;
  std::uint64_t completion_tokens = 0;
  std::int64_t cost = 0; ///< millionths of the currency unit

  usage_counts& operator+=(const usage_counts& other);
  bool operator==(const usage_counts&) const = default;
};

struct usage_row {
  usage_key key = {};
  usage_counts counts = {};
};

/// Added to what is there.
struct add_usage {
  std::vector<usage_row> rows = {};
};

/// Last uses of keys. Unknown ids are ignored, and so is what is older than the use that is known.
struct touch_keys {
  std::vector<std::pair<std::string, unix_ms>> used = {}; ///< ids
};

// -- questions ------------------------------------------------------------------------------------

/// All of them, in order of their ids.
struct list_accounts {};

struct stored_accounts {
  std::vector<stored_tenant> tenants = {};
  std::vector<stored_key> keys = {};
};

/// Audit entries, newest first.
struct list_audit {
  std::size_t limit = 20;
  std::uint64_t after = 0;                ///< number where the last page ended; 0: from the newest
  std::optional<std::string> tenant = {}; ///< only those about this one or its keys
  std::optional<std::string> object = {}; ///< only those with exactly this object
};

/// Usage per key, model and day, in order of `usage_key`.
struct read_usage {
  std::optional<std::string> tenant = {};
  std::optional<std::string> key = {};
  std::optional<std::string> model = {};
  std::int32_t first_day = 0;
  std::int32_t last_day = 0; ///< included
  std::size_t limit = 100;
  std::optional<usage_key> after = {}; ///< where the last page ended
};

struct read_totals {
  std::string tenant = {};
};

/// What a tenant has in the store.
struct tenant_totals {
  std::uint64_t threads = 0;
  /// JSON and reasoning of the messages of its threads, superseded ones and instructions included;
  /// metadata is not counted.
  std::uint64_t bytes = 0;

  bool operator==(const tenant_totals&) const = default;
};

} // namespace lang_agent
