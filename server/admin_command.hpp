/// `lang-agent tenants|keys|usage ...`: the admin API of a running server, from a shell.
#pragma once

#include <optional>
#include <string>

namespace lang_agent {

enum class admin_action {
  list_tenants,
  show_tenant,
  put_tenant,
  delete_tenant,
  list_keys,
  create_key,
  change_key,
  rotate_key,
  delete_key,
  usage,
};

struct admin_options {
  admin_action action = admin_action::list_tenants;
  std::string url = "http://localhost:8488";
  std::string key = {};
  std::string key_env = "LANG_AGENT_ADMIN_KEY"; ///< where the key is when `key` is empty
  std::string id = {};                          ///< of a tenant or key
  std::string file = {};                        ///< a tenant's JSON; empty: standard input
  std::optional<std::string> label = {};
  std::optional<std::string> expires = {}; ///< a duration from now, or "never"
  std::optional<std::string> limits = {};  ///< JSON, or "none"
  bool disable = false;
  bool enable = false;
  std::string overlap = "0s"; ///< of a rotation
  std::string query = {};     ///< of usage, percent-encoded
  bool csv = false;
};

/// Prints the server's answer. Returns the process's exit code. Throws `std::exception` with a
/// message for a person.
int run_admin_command(const admin_options& options);

} // namespace lang_agent
