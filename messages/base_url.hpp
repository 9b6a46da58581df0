/// Where an upstream lives: the parts of its `base_url`.
#pragma once

#include <cstdint>
#include <string>

namespace lang_agent {

struct base_url {
  bool tls = false;
  std::string host; ///< without brackets
  std::uint16_t port = 0;
  std::string authority; ///< for the Host header
  std::string path;      ///< without a slash at its end; may be empty
};

} // namespace lang_agent
