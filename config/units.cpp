#include "config/units.hpp"

#include <charconv>
#include <limits>

namespace lang_agent {

namespace {

struct quantity {
  std::uint64_t number;
  std::string_view unit;
};

std::optional<quantity> split_quantity(std::string_view text) {
  quantity result{};
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), result.number);
  if (ec != std::errc{} || result.number > 1'000'000'000'000)
    return std::nullopt;
  result.unit = text.substr(static_cast<std::size_t>(end - text.data()));
  return result;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  unsigned port = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, ec] = std::from_chars(text.data(), end, port);
  if (ec != std::errc{} || stop != end || port > std::numeric_limits<std::uint16_t>::max())
    return std::nullopt;
  return static_cast<std::uint16_t>(port);
}

/// A host without the brackets of an IPv6 address; empty if it is none.
std::string plain_host(std::string_view text) {
  if (text.size() > 2 && text.front() == '[' && text.back() == ']')
    return std::string{text.substr(1, text.size() - 2)};
  if (text.find_first_of(":[]") != std::string_view::npos)
    return {}; // an IPv6 address needs brackets
  return std::string{text};
}

} // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto x = split_quantity(text);
  if (!x)
    return std::nullopt;
  std::int64_t unit = 0;
  if (x->unit == "ms")
    unit = 1;
  else if (x->unit == "s")
    unit = 1000;
  else if (x->unit == "m")
    unit = 60'000;
  else if (x->unit == "h")
    unit = 3'600'000;
  else if (x->unit == "d")
    unit = 86'400'000;
  else if (!x->unit.empty() || x->number != 0)
    return std::nullopt;
  const auto result = std::chrono::milliseconds{static_cast<std::int64_t>(x->number) * unit};
  // Clocks count nanoseconds in 64 bits: a point in time must not overflow.
  return result <= std::chrono::hours{1'000'000} ? std::optional{result} : std::nullopt;
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const auto x = split_quantity(text);
  if (!x)
    return std::nullopt;
  if (x->unit == "B")
    return x->number;
  if (x->unit == "KiB")
    return x->number << 10;
  if (x->unit == "MiB")
    return x->number << 20;
  if (x->unit == "GiB" && x->number < 1'000'000)
    return x->number << 30;
  return std::nullopt;
}

std::optional<listen_address> parse_listen(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos)
    return std::nullopt;
  const auto host = plain_host(text.substr(0, colon));
  const auto port = parse_port(text.substr(colon + 1));
  if (host.empty() || !port)
    return std::nullopt;
  return listen_address{host, *port};
}

std::optional<base_url> parse_base_url(std::string_view text) {
  base_url out;
  if (text.substr(0, 8) == "https://")
    out.tls = true;
  else if (text.substr(0, 7) != "http://")
    return std::nullopt;
  text.remove_prefix(out.tls ? 8 : 7);
  if (text.find_first_of("?#@ \t\r\n") != std::string_view::npos)
    return std::nullopt;
  const auto slash = text.find('/');
  const auto authority = text.substr(0, slash);
  if (slash != std::string_view::npos)
    out.path = text.substr(slash);
  while (!out.path.empty() && out.path.back() == '/')
    out.path.pop_back();
  const auto colon = authority.rfind(':');
  const bool has_port =
      colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos;
  const auto port = has_port ? parse_port(authority.substr(colon + 1))
                             : std::optional<std::uint16_t>{out.tls ? 443 : 80};
  out.host = plain_host(has_port ? authority.substr(0, colon) : authority);
  if (out.host.empty() || !port || *port == 0)
    return std::nullopt;
  out.port = *port;
  out.authority = authority;
  return out;
}

bool is_loopback(std::string_view host) {
  const bool is_number = host.find_first_not_of("0123456789.") == std::string_view::npos;
  return host == "localhost" || host == "::1" || (is_number && host.substr(0, 4) == "127.");
}

} // namespace lang_agent
