/// The tables of a config that say who may use the server, and what it costs.
#pragma once

#include "config/settings.hpp"
#include "config/table_reader.hpp"

namespace lang_agent {

/// Without secrets, keys from the environment and from files are left out.
void read_tenant(table_reader& in, tenant_settings& out, bool with_secrets);

/// `listen` is left to the caller.
void read_admin(table_reader& in, admin_settings& out, bool with_secrets);

void read_price(table_reader& in, price_settings& out);

/// An id of a thread that requests without one get; "none" is the empty one. Leaves `out` alone
/// when the key is absent.
void read_default_thread(table_reader& in, std::optional<std::string>& out);

} // namespace lang_agent
