#include "actors/tenants.hpp"

#include "actors/routing.hpp"
#include "http/account_codec.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace lang_agent {

namespace {

/// What follows "Bearer", whatever its case.
std::optional<std::string_view> bearer_key(std::string_view authorization) {
  constexpr std::string_view scheme = "bearer";
  const auto is_scheme_letter = [](char expected, char given) {
    return (given | 0x20) == expected;
  };
  if (authorization.size() <= scheme.size()
      || !std::equal(scheme.begin(), scheme.end(), authorization.begin(), is_scheme_letter))
    return std::nullopt;
  const auto key = authorization.substr(scheme.size());
  const auto begin = key.find_first_not_of(" \t");
  if (begin == 0 || begin == std::string_view::npos)
    return std::nullopt;
  return key.substr(begin, key.find_last_not_of(" \t") + 1 - begin);
}

failure invalid_key(const char* message) {
  return {error_kind::invalid_api_key, message};
}

} // namespace

const caller& caller_of(const http::request_head& head) {
  return *static_cast<const caller*>(head.caller.get());
}

rates_left rates_of(const caller& x) {
  return x.owner->account->rates(x.key);
}

key_digest digest_of_key(std::string_view key) {
  // Fetched once: looking the algorithm up costs more than hashing a key.
  static const EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  key_digest out{};
  EVP_Digest(key.data(), key.size(), out.data(), nullptr, sha256, nullptr);
  return out;
}

std::string id_of_key(const key_digest& x) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out = "key_";
  for (std::size_t i = 0; i < 6; ++i) {
    out += digits[x[i] >> 4];
    out += digits[x[i] & 15];
  }
  return out;
}

std::optional<key_digest> presented_key(std::string_view authorization) {
  const auto key = bearer_key(authorization);
  return key ? std::optional{digest_of_key(*key)} : std::nullopt;
}

admin_keys::admin_keys(const std::vector<std::string>& keys) {
  for (const auto& key : keys) {
    const auto digest = digest_of_key(key);
    auto holder = std::make_shared<caller>();
    holder->key = id_of_key(digest);
    keys_.emplace(digest, std::move(holder));
  }
}

caller_ptr admin_keys::authenticate(std::string_view authorization) const {
  const auto key = presented_key(authorization);
  const auto found = key ? keys_.find(*key) : keys_.end();
  return found == keys_.end() ? nullptr : found->second;
}

const std::shared_ptr<ledger>& ledger_book::of(const std::string& tenant) {
  auto& out = ledgers_[tenant];
  if (!out)
    out = make_(tenant);
  return out;
}

bool tenant::may_use(std::string_view model) const {
  const auto& allowed = settings.models;
  return allowed.empty() || std::any_of(allowed.begin(), allowed.end(), [&](const std::string& x) {
           return fits(model, x);
         });
}

token_price tenant::price_of(std::string_view model) const {
  for (const auto& x : *prices)
    for (const auto& pattern : x.models)
      if (fits(model, pattern))
        return x.price;
  return {};
}

tenant_table::tenant_table(const std::vector<tenant_settings>& settings,
                           const std::vector<stored_key>& keys,
                           const std::vector<price_settings>& prices, ledger_book& book) {
  std::map<std::string, tenant_ptr> by_name;
  std::map<std::string, limits_by_key> limits_of_keys; // by the tenant's name
  for (const auto& x : keys)
    if (const auto own = http::decode_key_limits(x.limits))
      limits_of_keys[x.tenant].emplace(x.id, *own);
  const auto shared_prices = std::make_shared<const std::vector<price_settings>>(prices);
  for (const auto& x : settings) {
    const auto& account = book.of(x.name);
    account->set_limits(x.limits, x.key_limits, limits_of_keys[x.name]);
    auto share = std::make_shared<const queue_share>(
        queue_share{x.name, x.weight, x.max_waiting, account->waiting()});
    auto owner =
        std::make_shared<const tenant>(tenant{x, account, shared_prices, std::move(share)});
    for (const auto& key : x.keys) {
      const auto digest = digest_of_key(key);
      auto holder = std::make_shared<caller>();
      holder->owner = owner;
      holder->key = id_of_key(digest);
      keys_.emplace(digest, std::move(holder));
    }
    by_name[x.name] = owner;
    tenants_.push_back(std::move(owner));
  }
  for (const auto& x : keys) {
    const auto owner = by_name.find(x.tenant);
    if (owner == by_name.end())
      continue;
    auto holder = std::make_shared<caller>();
    holder->owner = owner->second;
    holder->key = x.id;
    holder->expires = x.expires;
    holder->disabled = x.disabled;
    holder->last_used = x.last_used;
    keys_.emplace(x.digest, std::move(holder)); // a key of the config wins
  }
}

std::variant<caller_ptr, failure> tenant_table::authenticate(std::string_view authorization,
                                                             unix_ms now) const {
  if (authorization.empty())
    return invalid_key(
        "You didn't provide an API key. Send it as 'Authorization: Bearer YOUR_KEY'.");
  const auto key = presented_key(authorization);
  const auto found = key ? keys_.find(*key) : keys_.end();
  if (found == keys_.end())
    return invalid_key("Incorrect API key provided.");
  const auto& holder = found->second;
  if (holder->disabled)
    return invalid_key("The API key is disabled.");
  if (holder->expires != 0 && holder->expires <= now)
    return invalid_key("The API key has expired.");
  // Not for every request: other threads read this memory, too.
  if (holder->last_used.load(std::memory_order_relaxed) + 1000 <= now)
    holder->last_used.store(now, std::memory_order_relaxed);
  return holder;
}

std::size_t tenant_table::turns() const {
  std::size_t sum = 0;
  for (const auto& x : tenants_)
    sum += x->account->turns();
  return sum;
}

std::size_t tenant_table::first_bytes::operator()(const key_digest& x) const {
  std::size_t out = 0;
  std::memcpy(&out, x.data(), sizeof out);
  return out;
}

} // namespace lang_agent
