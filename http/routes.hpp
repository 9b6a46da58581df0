/// The table of paths and methods.
#pragma once

#include "http/request.hpp"
#include "messages/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace lang_agent::http {

/// Whose key a request needs.
enum class access : std::uint8_t { anybody, tenant, admin };

struct route {
  endpoint target;
  access who = access::tenant;
  std::string parameter = {}; ///< the id in the path, decoded
};

struct no_route {
  failure why;       ///< 404 or 405
  std::string allow; ///< value of `allow` for a 405
};

/// What is said where there is nothing.
failure unknown_url(std::string_view method, std::string_view path);

/// Finds what a request wants. HEAD goes where GET goes; OPTIONS is a CORS preflight.
std::variant<route, no_route> find_route(std::string_view method, std::string_view path);

} // namespace lang_agent::http
