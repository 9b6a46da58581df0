/// The HTTP proxy on the way to an upstream: from the config, or from the environment as other
/// programs read it.
#pragma once

#include "messages/base_url.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace lang_agent {

/// "http://user:password@host:port", also without scheme, credentials (in which %40 stands for @)
/// or port (80). Nothing for anything else, e.g. other schemes.
std::optional<proxy_address> parse_proxy(std::string_view text);

/// Whether a list like that of NO_PROXY has an entry for `target`: "*", a host or the end of one
/// with or without a dot before it, an address, a network like "10.0.0.0/8"; all but the last with
/// or without a port.
bool is_exempt(std::string_view list, const base_url& target);

/// The proxy that http_proxy, https_proxy and no_proxy name for `target`, in small or, failing
/// that, capital letters; for this machine itself none. `upstream` is its name for the
/// `config_error` that is thrown when the variable that counts is of no use.
std::optional<proxy_address> environment_proxy(const base_url& target, const std::string& upstream);

} // namespace lang_agent
