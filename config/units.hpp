/// Durations, sizes and listen addresses as people write them in a config.
#pragma once

#include "messages/base_url.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lang_agent {

/// "250ms", "5s", "10m", "1h", "30d", up to a million hours; "0" is zero. Nothing for anything
/// else.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

/// "64KiB", "32MiB", "1GiB", "512B". Nothing for anything else.
std::optional<std::uint64_t> parse_size(std::string_view text);

struct listen_address {
  std::string host; ///< without brackets
  std::uint16_t port;
};

/// "127.0.0.1:8488", "[::1]:8488", "localhost:8488". Nothing for anything else.
std::optional<listen_address> parse_listen(std::string_view text);

/// "https://api.openai.com/v1". Nothing for anything else: other schemes, credentials, a query.
std::optional<base_url> parse_base_url(std::string_view text);

/// Whether a host of `listen` can be reached from this machine only.
bool is_loopback(std::string_view host);

} // namespace lang_agent
