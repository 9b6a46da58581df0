/// Where an upstream lives, and the way to it.
#pragma once

#include <cstdint>
#include <string>

namespace lang_agent {

/// The parts of its `base_url`.
struct base_url {
  bool tls = false;
  std::string host; ///< without brackets
  std::uint16_t port = 0;
  std::string authority; ///< for the Host header
  std::string path;      ///< without a slash at its end; may be empty
};

/// An HTTP proxy.
struct proxy_address {
  std::string host; ///< without brackets
  std::uint16_t port = 0;
  std::string credentials = {}; ///< "user:password"; may be empty

  bool operator==(const proxy_address&) const = default;
};

} // namespace lang_agent
