#include "actors/account_book.hpp"

#include "http/ids.hpp"
#include "http/json.hpp"

#include <openssl/rand.h>

#include <algorithm>
#include <new>

namespace lang_agent {

namespace {

failure no_such_tenant(const std::string& id) {
  return {error_kind::tenant_not_found, "No tenant with id '" + id + "' found."};
}

failure no_such_key(const std::string& id) {
  return {error_kind::key_not_found,
          "No API key with id '" + id + "' found. Keys of the config file are not listed here."};
}

failure is_configured(const std::string& id) {
  return {error_kind::tenant_is_configured,
          "The tenant '" + id + "' is in the config file of the server. Change it there."};
}

/// "la-" and 256 random bits, in the letters that URLs and shells leave alone.
std::string make_secret() {
  constexpr std::string_view letters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::array<unsigned char, 32> bits{};
  if (RAND_bytes(bits.data(), static_cast<int>(bits.size())) != 1)
    throw std::runtime_error{"the system has no random numbers"};
  std::string out = "la-";
  unsigned buffer = 0;
  int count = 0;
  for (const auto byte : bits) {
    buffer = buffer << 8 | byte;
    for (count += 8; count >= 6; count -= 6)
      out += letters[buffer >> (count - 6) & 63];
  }
  return out + letters[buffer << (6 - count) & 63];
}

admin_change change(decltype(admin_change::what) what, const char* action, std::string object,
                    std::string detail) {
  admin_change out;
  out.what = std::move(what);
  out.audit.action = action;
  out.audit.object = std::move(object);
  out.audit.detail = std::move(detail);
  return out;
}

admin_change put(const stored_key& x, const char* action) {
  return change(put_key{x}, action, x.id, http::encode_key(x));
}

/// A key of a tenant, and the secret that nobody will see again.
std::pair<stored_key, std::string> make_key(const std::string& tenant, unix_ms now) {
  auto secret = make_secret();
  constexpr std::size_t hint_length = 4;
  stored_key out;
  out.id = "key_" + http::random_id(16);
  out.tenant = tenant;
  out.digest = digest_of_key(secret);
  out.hint = secret.substr(secret.size() - hint_length);
  out.created = now;
  return {std::move(out), std::move(secret)};
}

std::runtime_error unreadable(const std::string& what) {
  return std::runtime_error{
      what
      + "; start the version of lang-agent that wrote it, or restore the database from a backup"};
}

} // namespace

known_accounts understand(stored_accounts stored) {
  known_accounts out;
  for (const auto& x : stored.tenants) {
    auto decoded = http::decode_tenant(x.settings, x.id);
    if (const auto* why = std::get_if<failure>(&decoded))
      throw unreadable("the stored tenant \"" + x.id + "\" cannot be read: " + why->message);
    out.tenants.emplace(x.id, std::get<tenant_settings>(std::move(decoded)));
  }
  for (auto& x : stored.keys) {
    if (!x.limits.empty() && !http::decode_key_limits(x.limits))
      throw unreadable("the limits of the stored key \"" + x.id + "\" cannot be read");
    out.keys.emplace(x.id, std::move(x));
  }
  return out;
}

account_book::account_book(ledger_book ledgers, known_accounts stored)
    : ledgers_(std::move(ledgers)), stored_(std::move(stored)) {}

void account_book::configure(std::vector<tenant_settings> tenants,
                             std::vector<price_settings> prices) {
  configured_ = std::move(tenants);
  prices_ = std::move(prices);
}

std::shared_ptr<const tenant_table> account_book::make_table() {
  std::vector<stored_key> keys;
  for (const auto& [id, key] : stored_.keys)
    keys.push_back(key);
  return std::make_shared<const tenant_table>(tenants(), keys, prices_, ledgers_);
}

std::vector<tenant_settings> account_book::tenants() const {
  auto out = configured_;
  for (const auto& [id, x] : stored_.tenants)
    if (!find_configured(id))
      out.push_back(x);
  return out;
}

const tenant_settings* account_book::find_configured(const std::string& id) const {
  const auto found = std::find_if(configured_.begin(), configured_.end(),
                                  [&](const tenant_settings& x) { return x.name == id; });
  return found == configured_.end() ? nullptr : &*found;
}

bool account_book::has_keys(const std::string& tenant) const {
  return std::any_of(stored_.keys.begin(), stored_.keys.end(),
                     [&](const auto& x) { return x.second.tenant == tenant; });
}

bool account_book::exists(const std::string& id) const {
  return find_configured(id) || stored_.tenants.contains(id);
}

// -- changes --------------------------------------------------------------------------------------

std::variant<account_plan, failure> account_book::plan(const account_command& x,
                                                       const std::string& who, unix_ms now) const {
  auto out = std::visit([&](const auto& command) { return plan_for(command, now); }, x);
  if (auto* plan = std::get_if<account_plan>(&out)) {
    plan->change.audit.at = now;
    plan->change.audit.who = who;
  }
  return out;
}

account_book::planned account_book::plan_for(const tenant_settings& x, unix_ms) const {
  if (!http::is_tenant_id(x.name))
    return failure{error_kind::invalid_request,
                   "The id of a tenant must have 1 to 128 visible ASCII characters and no slash."};
  if (find_configured(x.name))
    return is_configured(x.name);
  auto json = http::encode_tenant(x, "api");
  const char* action = stored_.tenants.contains(x.name) ? "tenant.changed" : "tenant.created";
  return account_plan{change(put_tenant{{x.name, json}}, action, x.name, json)};
}

account_book::planned account_book::plan_for(const remove_tenant& x, unix_ms) const {
  if (find_configured(x.id))
    return is_configured(x.id);
  if (!stored_.tenants.contains(x.id))
    return no_such_tenant(x.id);
  return account_plan{change(x, "tenant.deleted", x.id, {})};
}

account_book::planned account_book::plan_for(const new_key& x, unix_ms now) const {
  if (!exists(x.tenant))
    return no_such_tenant(x.tenant);
  auto [key, secret] = make_key(x.tenant, now);
  key.label = x.what.label.value_or("");
  key.expires = x.what.expires.value_or(0);
  key.disabled = x.what.disabled.value_or(false);
  key.limits = x.what.limits.value_or("");
  return account_plan{put(key, "key.created"), std::move(secret), key};
}

account_book::planned account_book::plan_for(const key_update& x, unix_ms) const {
  const auto found = stored_.keys.find(x.id);
  if (found == stored_.keys.end())
    return no_such_key(x.id);
  auto key = found->second;
  key.label = x.what.label.value_or(key.label);
  key.expires = x.what.expires.value_or(key.expires);
  key.disabled = x.what.disabled.value_or(key.disabled);
  key.limits = x.what.limits.value_or(key.limits);
  return account_plan{put(key, "key.changed"), {}, key};
}

account_book::planned account_book::plan_for(const key_rotation& x, unix_ms now) const {
  const auto found = stored_.keys.find(x.id);
  if (found == stored_.keys.end())
    return no_such_key(x.id);
  const auto& old = found->second;
  auto [key, secret] = make_key(old.tenant, now);
  key.label = old.label;
  key.limits = old.limits;
  const auto end = now + x.overlap_s * 1000;
  const rotate_key what{x.id, old.expires == 0 ? end : std::min(old.expires, end), key};
  return account_plan{change(what, "key.rotated", x.id, http::encode_key(key)), std::move(secret),
                      key};
}

account_book::planned account_book::plan_for(const remove_key& x, unix_ms) const {
  if (!stored_.keys.contains(x.id))
    return no_such_key(x.id);
  return account_plan{change(x, "key.deleted", x.id, {})};
}

void account_book::apply(const admin_change& x) {
  if (const auto* tenant = std::get_if<put_tenant>(&x.what)) {
    auto decoded = http::decode_tenant(tenant->tenant.settings, tenant->tenant.id);
    stored_.tenants[tenant->tenant.id] = std::get<tenant_settings>(std::move(decoded));
  } else if (const auto* gone = std::get_if<remove_tenant>(&x.what)) {
    stored_.tenants.erase(gone->id);
    std::erase_if(stored_.keys, [&](const auto& each) { return each.second.tenant == gone->id; });
  } else if (const auto* key = std::get_if<put_key>(&x.what)) {
    stored_.keys[key->key.id] = key->key;
  } else if (const auto* lost = std::get_if<remove_key>(&x.what)) {
    stored_.keys.erase(lost->id);
  } else if (const auto* rotation = std::get_if<rotate_key>(&x.what)) {
    stored_.keys[rotation->fresh.id] = rotation->fresh;
    stored_.keys.at(rotation->id).expires = rotation->expires;
  }
}

std::string account_book::result_of(const account_command& x, const account_plan& made) const {
  if (const auto* tenant = std::get_if<tenant_settings>(&x))
    return http::encode_tenant(*tenant, "api");
  if (const auto* gone = std::get_if<remove_tenant>(&x))
    return http::encode_deleted(gone->id, "tenant");
  if (const auto* gone = std::get_if<remove_key>(&x))
    return http::encode_deleted(gone->id, "api_key");
  return http::encode_key(made.key, made.secret);
}

// -- questions ------------------------------------------------------------------------------------

std::string account_book::list_tenants() const {
  std::vector<std::string> out;
  for (const auto& x : tenants())
    out.push_back(http::encode_tenant(x, find_configured(x.name) ? "config" : "api"));
  return http::encode_list(out);
}

std::variant<std::string, failure> account_book::show_tenant(const std::string& id) const {
  if (const auto* x = find_configured(id))
    return http::encode_tenant(*x, "config");
  if (const auto found = stored_.tenants.find(id); found != stored_.tenants.end())
    return http::encode_tenant(found->second, "api");
  return no_such_tenant(id);
}

std::variant<std::string, failure> account_book::list_keys(const std::string& tenant) const {
  if (!exists(tenant) && !has_keys(tenant))
    return no_such_tenant(tenant);
  std::vector<std::string> out;
  for (const auto& [id, key] : stored_.keys)
    if (key.tenant == tenant)
      out.push_back(http::encode_key(key));
  return http::encode_list(out);
}

touch_keys account_book::take_key_uses(const tenant_table& table) {
  touch_keys out;
  table.for_each_caller([&](const caller& x) {
    const auto found = stored_.keys.find(x.key);
    const auto used = x.last_used.load();
    if (found == stored_.keys.end() || used <= found->second.last_used)
      return;
    found->second.last_used = used;
    out.used.emplace_back(x.key, used);
  });
  return out;
}

} // namespace lang_agent
