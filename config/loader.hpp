/// From a TOML file to validated settings.
#pragma once

#include "config/settings.hpp"

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace lang_agent {

/// The message says file, line and key where there is one, and what to do.
class config_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// The shipped `lang-agent.toml`.
extern const std::string_view default_config;

/// What the command line may change.
struct config_overrides {
  std::optional<std::string> listen;
  std::optional<std::string> upstream_url;
  std::optional<std::string> upstream_key_env;
  std::optional<std::string> model;
  std::optional<std::string> data_dir;
  bool ephemeral = false;       ///< threads in memory only
  bool without_secrets = false; ///< keys are neither read nor asked for: there is nothing to serve
};

/// Reads `file`, or the shipped default when empty; applies the overrides; resolves secrets from
/// the environment and from files; validates. Throws `config_error`.
settings load_settings(const std::string& file, const config_overrides& overrides = {});

/// The same for the text of a config; `name` stands for the file in messages.
settings parse_settings(std::string_view text, const std::string& name,
                        const config_overrides& overrides = {});

/// Throws `config_error` when the settings contradict themselves or are unsafe.
void validate(const settings& x);

} // namespace lang_agent
