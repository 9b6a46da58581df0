/// Reads the tables of a config that say where answers come from. Private to the loader.
#pragma once

#include "config/settings.hpp"
#include "config/table_reader.hpp"

namespace lang_agent {

void read_upstream(table_reader& in, upstream_settings& out, bool with_secrets);
void read_route(table_reader& in, route_settings& out);
void read_routing(table_reader& in, routing_settings& out);
void read_retry(table_reader& in, retry_settings& out);
void read_breaker(table_reader& in, breaker_settings& out);

/// The proxy of an upstream that names none itself: as `HTTPS_PROXY` and `NO_PROXY` say. Throws
/// `config_error` when they make no sense.
void choose_proxy(upstream_settings& x);

} // namespace lang_agent
