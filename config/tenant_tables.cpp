#include "config/tenant_tables.hpp"

#include "config/secrets.hpp"

#include <algorithm>

namespace lang_agent {

namespace {

constexpr std::int64_t many = 1'000'000'000;

bool is_plain_name(const std::string& x) {
  return !x.empty() && x.size() <= 128
         && std::all_of(x.begin(), x.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

void read_limits(table_reader& in, usage_limits& out) {
  for_each_limit(
      out,
      [&](const char* name, auto& limit, std::uint64_t most) {
        in.number(name, limit, 0, static_cast<std::int64_t>(most));
      },
      [&](const char* name, std::uint64_t& limit) { in.amount(name, limit); });
}

/// `table`: its name in messages.
void read_keys(table_reader& in, std::vector<std::string>& out, const std::string& table,
               bool with_secrets) {
  in.texts("keys", out);
  std::string variable;
  in.text("keys_env", variable);
  if (!variable.empty() && with_secrets)
    for (auto& key : environment_secrets(variable, table + ".keys_env"))
      out.push_back(std::move(key));
  std::string file;
  in.text("keys_file", file);
  if (!file.empty() && with_secrets)
    for (auto& key : file_secrets(file, table + ".keys_file"))
      out.push_back(std::move(key));
}

} // namespace

void read_default_thread(table_reader& in, std::optional<std::string>& out) {
  const auto* node = in.any("default_thread");
  if (!node)
    return;
  if (node->is_integer())
    out = std::to_string(node->as_integer()->get());
  else if (node->is_string() && is_plain_name(node->as_string()->get()))
    out = node->as_string()->get();
  else
    in.fail("default_thread", "must be a whole number, a name of 1 to 128 visible ASCII "
                              "characters, or \"none\"");
  if (out == "none")
    out = "";
}

void read_tenant(table_reader& in, tenant_settings& out, bool with_secrets) {
  in.text("name", out.name);
  read_keys(in, out.keys, "tenants", with_secrets);
  read_limits(in, out.limits);
  in.number("max_connections", out.limits.max_connections, 0, many);
  in.table("key_limits", [&](table_reader& sub) { read_limits(sub, out.key_limits); });
  in.number("weight", out.weight, 1, 1000);
  in.number("max_waiting", out.max_waiting, 0, many);
  in.number("max_threads", out.storage.threads, 0, many);
  in.bytes("max_stored_bytes", out.storage.bytes);
  in.texts("models", out.models);
  in.duration("ttl", out.ttl);
  read_default_thread(in, out.default_thread);
  in.optional_word<busy_policy>(
      "on_busy", out.on_busy, {{"enqueue", busy_policy::enqueue}, {"reject", busy_policy::reject}});
  in.optional_word<disconnect_policy>(
      "on_disconnect", out.on_disconnect,
      {{"cancel", disconnect_policy::cancel}, {"finish", disconnect_policy::finish}});
}

void read_admin(table_reader& in, admin_settings& out, bool with_secrets) {
  read_keys(in, out.keys, "admin", with_secrets);
}

void read_price(table_reader& in, price_settings& out) {
  in.texts("models", out.models);
  in.amount("prompt", out.price.prompt);
  in.amount("completion", out.price.completion);
}

} // namespace lang_agent
