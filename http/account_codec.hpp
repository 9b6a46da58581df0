/// JSON and CSV of the admin API: tenants, keys, usage, audit entries.
#pragma once

#include "messages/accounts.hpp"
#include "messages/error.hpp"
#include "messages/tenant.hpp"
#include "messages/threads.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace lang_agent::http {

// -- tenants --------------------------------------------------------------------------------------

/// Whether a tenant may be called so: 1 to 128 visible ASCII characters without a slash.
bool is_tenant_id(std::string_view id);

/// A whole tenant; members that are absent have their defaults. Unknown members are refused.
std::variant<tenant_settings, failure> decode_tenant(std::string_view body, const std::string& id);

/// `source`: "config" or "api".
std::string encode_tenant(const tenant_settings& x, std::string_view source);

/// {"object":"list","data":[...]}
std::string encode_list(const std::vector<std::string>& elements);

/// {"id","object":"KIND.deleted","deleted":true}
std::string encode_deleted(std::string_view id, std::string_view kind);

// -- keys -----------------------------------------------------------------------------------------

/// What a body says about a key. Unset: nothing.
struct key_change {
  std::optional<std::string> label = {};
  std::optional<unix_ms> expires = {}; ///< 0: never
  std::optional<bool> disabled = {};
  std::optional<std::string> limits = {};     ///< see `stored_key`; empty: those of the tenant
  std::optional<std::int64_t> overlap_s = {}; ///< of a rotation: how long the old key stays good
};

/// An empty body says nothing. `rotates`: "overlap_seconds" is allowed, and nothing else.
std::variant<key_change, failure> decode_key_change(std::string_view body, bool rotates);

/// The body that says so.
std::string encode_key_change(const key_change& x);

/// Of a `stored_key` with limits of its own; unset: it has none, or they cannot be read.
std::optional<usage_limits> decode_key_limits(const std::string& json);

/// `secret`: the key itself, of a new one; shown this once.
std::string encode_key(const stored_key& x, std::string_view secret = {});

// -- usage and audit ------------------------------------------------------------------------------

/// `tenant`, `key`, `model`; `from` and `to` as 2026-11-23; `limit` (1,000, up to 10,000);
/// `after`, the `next` of the last page; `format` "json" or "csv".
struct usage_query {
  read_usage read = {};
  bool csv = false;
};
std::variant<usage_query, failure> decode_usage_query(std::string_view query, unix_ms now);

std::string encode_usage(const page<usage_row>& x);
std::string encode_usage_csv(const page<usage_row>& x, bool with_names = true);

/// `limit` (20, up to 100), `after` (a number), `tenant`, `object`.
std::variant<list_audit, failure> decode_audit_query(std::string_view query);

std::string encode_audit(const page<audit_entry>& x);

/// 2026-11-23, of days since 1970-01-01.
std::string date_text(std::int32_t day);

} // namespace lang_agent::http
