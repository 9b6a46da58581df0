/// Secrets that a config names instead of holding them.
#pragma once

#include <string>
#include <vector>

namespace lang_agent {

/// The value of an environment variable. `wanted_by` is the key or option that names it. Throws
/// `config_error` when it is not set or empty.
std::string environment_secret(const std::string& variable, const std::string& wanted_by);

/// The same for several, separated by commas.
std::vector<std::string> environment_secrets(const std::string& variable,
                                             const std::string& wanted_by);

/// The lines of a file, without empty ones and surrounding blanks. Throws `config_error` when there
/// are none.
std::vector<std::string> file_secrets(const std::string& path, const std::string& wanted_by);

} // namespace lang_agent
