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

} // namespace

account_book::account_book(ledger_book ledgers, stored_accounts stored)
    : ledgers_(std::move(ledgers)) {
  for (const auto& x : stored.tenants) {
    auto decoded = http::decode_tenant(x.settings, x.id);
    if (const auto* why = std::get_if<failure>(&decoded))
      throw std::runtime_error{"the stored tenant \"" + x.id
                               + "\" cannot be read: " + why->message};
    stored_.emplace(x.id, std::get<tenant_settings>(std::move(decoded)));
  }
  for (auto& x : stored.keys)
    keys_.emplace(x.id, std::move(x));
}

void account_book::configure(std::vector<tenant_settings> tenants,
                             std::vector<price_settings> prices) {
  configured_ = std::move(tenants);
  prices_ = std::move(prices);
}

std::shared_ptr<const tenant_table> account_book::make_table() {
  std::vector<stored_key> keys;
  for (const auto& [id, key] : keys_)
    keys.push_back(key);
  return std::make_shared<const tenant_table>(tenants(), keys, prices_, ledgers_);
}

std::vector<tenant_settings> account_book::tenants() const {
  auto out = configured_;
  for (const auto& [id, x] : stored_)
    if (!find_configured(id))
      out.push_back(x);
  return out;
}

const tenant_settings* account_book::find_configured(const std::string& id) const {
  const auto found = std::find_if(configured_.begin(), configured_.end(),
                                  [&](const tenant_settings& x) { return x.name == id; });
  return found == configured_.end() ? nullptr : &*found;
}

bool account_book::exists(const std::string& id) const {
  return find_configured(id) || stored_.contains(id);
}

// -- changes --------------------------------------------------------------------------------------

std::variant<account_plan, failure> account_book::plan(const account_command& x,
                                                       const std::string& who, unix_ms now) const {
  auto out = std::visit([&](const auto& command) { return plan_for(command, now); }, x);
  if (auto* plan = std::get_if<account_plan>(&out))
    for (auto& each : plan->changes) {
      each.audit.at = now;
      each.audit.who = who;
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
  const char* action = stored_.contains(x.name) ? "tenant.changed" : "tenant.created";
  return account_plan{{change(put_tenant{{x.name, json}}, action, x.name, json)}};
}

account_book::planned account_book::plan_for(const remove_tenant& x, unix_ms) const {
  if (find_configured(x.id))
    return is_configured(x.id);
  if (!stored_.contains(x.id))
    return no_such_tenant(x.id);
  return account_plan{{change(x, "tenant.deleted", x.id, {})}};
}

account_book::planned account_book::plan_for(const new_key& x, unix_ms now) const {
  if (!exists(x.tenant))
    return no_such_tenant(x.tenant);
  auto [key, secret] = make_key(x.tenant, now);
  key.label = x.what.label.value_or("");
  key.expires = x.what.expires.value_or(0);
  key.disabled = x.what.disabled.value_or(false);
  key.limits = x.what.limits.value_or("");
  return account_plan{{put(key, "key.created")}, std::move(secret), key};
}

account_book::planned account_book::plan_for(const key_update& x, unix_ms) const {
  const auto found = keys_.find(x.id);
  if (found == keys_.end())
    return no_such_key(x.id);
  auto key = found->second;
  key.label = x.what.label.value_or(key.label);
  key.expires = x.what.expires.value_or(key.expires);
  key.disabled = x.what.disabled.value_or(key.disabled);
  key.limits = x.what.limits.value_or(key.limits);
  return account_plan{{put(key, "key.changed")}, {}, key};
}

/// The new key comes first: if only one of the two is made, there is still a good one.
account_book::planned account_book::plan_for(const key_rotation& x, unix_ms now) const {
  const auto found = keys_.find(x.id);
  if (found == keys_.end())
    return no_such_key(x.id);
  auto old = found->second;
  auto [key, secret] = make_key(old.tenant, now);
  key.label = old.label;
  key.limits = old.limits;
  const auto end = now + x.overlap_s * 1000;
  old.expires = old.expires == 0 ? end : std::min(old.expires, end);
  return account_plan{{put(key, "key.created"), put(old, "key.rotated")}, std::move(secret), key};
}

account_book::planned account_book::plan_for(const remove_key& x, unix_ms) const {
  if (!keys_.contains(x.id))
    return no_such_key(x.id);
  return account_plan{{change(x, "key.deleted", x.id, {})}};
}

void account_book::apply(const admin_change& x) {
  if (const auto* tenant = std::get_if<put_tenant>(&x.what)) {
    auto decoded = http::decode_tenant(tenant->tenant.settings, tenant->tenant.id);
    stored_[tenant->tenant.id] = std::get<tenant_settings>(std::move(decoded));
  } else if (const auto* gone = std::get_if<remove_tenant>(&x.what)) {
    stored_.erase(gone->id);
    std::erase_if(keys_, [&](const auto& each) { return each.second.tenant == gone->id; });
  } else if (const auto* key = std::get_if<put_key>(&x.what)) {
    keys_[key->key.id] = key->key;
  } else if (const auto* lost = std::get_if<remove_key>(&x.what)) {
    keys_.erase(lost->id);
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
  if (const auto found = stored_.find(id); found != stored_.end())
    return http::encode_tenant(found->second, "api");
  return no_such_tenant(id);
}

std::variant<std::string, failure> account_book::list_keys(const std::string& tenant) const {
  if (!exists(tenant))
    return no_such_tenant(tenant);
  std::vector<std::string> out;
  for (const auto& [id, key] : keys_)
    if (key.tenant == tenant)
      out.push_back(http::encode_key(key));
  return http::encode_list(out);
}

touch_keys account_book::take_key_uses(const tenant_table& table) {
  touch_keys out;
  table.for_each_caller([&](const caller& x) {
    const auto found = keys_.find(x.key);
    const auto used = x.last_used.load();
    if (found == keys_.end() || used <= found->second.last_used)
      return;
    found->second.last_used = used;
    out.used.emplace_back(x.key, used);
  });
  return out;
}

} // namespace lang_agent
