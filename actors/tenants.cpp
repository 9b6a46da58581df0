#include "actors/tenants.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <cstring>

namespace lang_agent {

turn_permit tenant::try_acquire() {
  if (turns_.fetch_add(1) >= max_turns_) {
    turns_.fetch_sub(1);
    return nullptr;
  }
  return turn_permit{this, [self = shared_from_this()](tenant*) { self->turns_.fetch_sub(1); }};
}

tenant_table::tenant_table(const std::vector<tenant_settings>& settings) {
  for (const auto& x : settings) {
    for (const auto& key : x.keys)
      keys_.emplace(digest_of(key), tenants_.size());
    tenants_.push_back(std::make_shared<tenant>(x));
  }
}

std::optional<std::size_t> tenant_table::authenticate(std::string_view authorization) const {
  constexpr std::string_view scheme = "bearer";
  const auto is_scheme_letter = [](char a, char b) { return (a | 0x20) == b; };
  if (authorization.size() <= scheme.size()
      || !std::equal(scheme.begin(), scheme.end(), authorization.begin(),
                     [&](char expected, char given) { return is_scheme_letter(given, expected); }))
    return std::nullopt;
  auto key = authorization.substr(scheme.size());
  const auto begin = key.find_first_not_of(" \t");
  if (begin == 0 || begin == std::string_view::npos)
    return std::nullopt;
  key = key.substr(begin, key.find_last_not_of(" \t") + 1 - begin);
  const auto found = keys_.find(digest_of(key));
  if (found == keys_.end())
    return std::nullopt;
  return found->second;
}

std::size_t tenant_table::turns() const {
  std::size_t sum = 0;
  for (const auto& x : tenants_)
    sum += x->turns();
  return sum;
}

std::size_t tenant_table::first_bytes::operator()(const key_digest& x) const {
  std::size_t out = 0;
  std::memcpy(&out, x.data(), sizeof out);
  return out;
}

tenant_table::key_digest tenant_table::digest_of(std::string_view key) {
  // Fetched once: looking the algorithm up costs more than hashing a key.
  static const EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  key_digest out{};
  EVP_Digest(key.data(), key.size(), out.data(), nullptr, sha256, nullptr);
  return out;
}

} // namespace lang_agent
