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

/// Which routes a listener has, beside those for anybody.
struct offered_access {
  bool tenant = true;
  bool admin = true;
};

/// Finds what a request wants among those that are offered; the others do not exist. HEAD goes
/// where GET goes; OPTIONS is a CORS preflight.
std::variant<route, no_route> find_route(std::string_view method, std::string_view path,
                                         const offered_access& offered = {});

} // namespace lang_agent::http
