#include "config/proxy.hpp"

#include "config/loader.hpp"
#include "config/units.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

namespace lang_agent {

namespace {

std::string lower(std::string_view text) {
  std::string out{text};
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

template <class Number>
std::optional<Number> parse_number(std::string_view text, int base = 10) {
  Number out{};
  const auto* end = text.data() + text.size();
  const auto [stop, ec] = std::from_chars(text.data(), end, out, base);
  return ec == std::errc{} && stop == end ? std::optional{out} : std::nullopt;
}

/// Nothing if a % is not followed by two hexadecimal digits.
std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const auto digits = text.substr(i + 1, 2);
    const auto byte = parse_number<unsigned char>(digits, 16);
    if (digits.size() != 2 || !byte)
      return std::nullopt;
    out += static_cast<char>(*byte);
    i += 2;
  }
  return out;
}

// -- addresses ----------------------------------------------------------------------------------

struct ip_address {
  std::size_t bits = 0; ///< 32 or 128
  std::array<unsigned char, 16> bytes{};
};

std::optional<ip_address> parse_ip(const std::string& text) {
  ip_address out;
  if (::inet_pton(AF_INET, text.c_str(), out.bytes.data()) == 1) {
    out.bits = 32;
    return out;
  }
  if (::inet_pton(AF_INET6, text.c_str(), out.bytes.data()) == 1) {
    out.bits = 128;
    return out;
  }
  return std::nullopt;
}

/// Whether the first `count` bits are the same.
bool share_prefix(const ip_address& a, const ip_address& b, std::size_t count) {
  if (a.bits != b.bits || count > a.bits)
    return false;
  for (std::size_t i = 0; i < count; ++i) {
    const auto mask = 0x80 >> (i % 8);
    if ((a.bytes[i / 8] & mask) != (b.bytes[i / 8] & mask))
      return false;
  }
  return true;
}

bool is_in_network(const std::string& entry, const std::string& host) {
  const auto slash = entry.find('/');
  const auto network = parse_ip(entry.substr(0, slash));
  const auto address = parse_ip(host);
  const auto count = parse_number<std::size_t>(std::string_view{entry}.substr(slash + 1));
  return network && address && count && share_prefix(*network, *address, *count);
}

// -- exemptions ---------------------------------------------------------------------------------

bool names_host(std::string_view name, const std::string& host) {
  const auto a = parse_ip(std::string{name});
  const auto b = parse_ip(host);
  if (a && b)
    return share_prefix(*a, *b, std::max(a->bits, b->bits));
  if (name.substr(0, 2) == "*.")
    name.remove_prefix(2);
  else if (name.substr(0, 1) == ".")
    name.remove_prefix(1);
  if (name.empty() || host.size() < name.size() || b)
    return false;
  const auto rest = host.size() - name.size();
  return host.compare(rest, name.size(), name) == 0 && (rest == 0 || host[rest - 1] == '.');
}

/// Whether one entry of a list, in lower case, is about `host`.
bool is_about(const std::string& entry, const std::string& host, std::uint16_t port) {
  if (entry == "*")
    return true;
  if (entry.find('/') != std::string::npos)
    return is_in_network(entry, host);
  if (parse_ip(entry)) // its colons are no port
    return names_host(entry, host);
  if (const auto place = parse_listen(entry))
    return place->port == port && names_host(place->host, host);
  const bool has_brackets = entry.size() > 2 && entry.front() == '[' && entry.back() == ']';
  return names_host(has_brackets ? entry.substr(1, entry.size() - 2) : entry, host);
}

// -- the environment ----------------------------------------------------------------------------

struct variable {
  std::string name;
  std::string value; ///< may be empty
};

variable environment(const std::string& name) {
  std::string capitals = name;
  for (auto& c : capitals)
    c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  for (const auto& spelling : {name, capitals})
    if (const char* value = std::getenv(spelling.c_str()); value && *value)
      return {spelling, value};
  return {name, {}};
}

} // namespace

std::optional<proxy_address> parse_proxy(std::string_view text) {
  if (const auto scheme = text.find("://"); scheme != std::string_view::npos) {
    if (lower(text.substr(0, scheme)) != "http")
      return std::nullopt;
    text.remove_prefix(scheme + 3);
  }
  if (!text.empty() && text.back() == '/')
    text.remove_suffix(1);
  proxy_address out;
  if (const auto at = text.rfind('@'); at != std::string_view::npos) {
    auto credentials = percent_decoded(text.substr(0, at));
    if (!credentials)
      return std::nullopt;
    out.credentials = std::move(*credentials);
    text.remove_prefix(at + 1);
  }
  if (text.find_first_of("/?# \t\r\n") != std::string_view::npos)
    return std::nullopt;
  const bool has_port = text.rfind(':') != std::string_view::npos && text.back() != ']';
  const auto place = parse_listen(std::string{text} + (has_port ? "" : ":80"));
  if (!place || place->port == 0)
    return std::nullopt;
  out.host = place->host;
  out.port = place->port;
  return out;
}

bool is_exempt(std::string_view list, const base_url& target) {
  auto host = lower(target.host);
  if (host.size() > 1 && host.back() == '.') // for the resolver only
    host.pop_back();
  const auto entries = lower(list);
  constexpr const char* between = ", \t";
  for (auto at = entries.find_first_not_of(between); at != std::string::npos;) {
    const auto end = std::min(entries.find_first_of(between, at), entries.size());
    if (is_about(entries.substr(at, end - at), host, target.port))
      return true;
    at = entries.find_first_not_of(between, end);
  }
  return false;
}

std::optional<proxy_address> environment_proxy(const base_url& target,
                                               const std::string& upstream) {
  const auto given = environment(target.tls ? "https_proxy" : "http_proxy");
  if (given.value.empty() || is_loopback(target.host)
      || is_exempt(environment("no_proxy").value, target))
    return std::nullopt;
  auto out = parse_proxy(given.value);
  if (!out) // without its value, which may hold a password
    throw config_error{"upstream \"" + upstream + "\": the environment variable " + given.name
                       + " names no HTTP proxy that can be used; it must look like "
                         "\"http://user:password@host:port\". Mend it, or set proxy = \"none\" "
                         "for this upstream, or add its host to NO_PROXY"};
  return out;
}

} // namespace lang_agent
