/// The whole server, wired: settings in, running process out.
#pragma once

#include "config/settings.hpp"

#include <functional>
#include <string>

namespace lang_agent {

/// Where the settings came from.
struct settings_source {
  std::string file;                 ///< empty: the built-in config
  std::function<settings()> reload; ///< reads them anew; throws `config_error`
};

/// Serves until a signal asks it to stop, then drains. Returns the process's exit code. Throws
/// `std::exception` when it cannot start, e.g. because the address is taken.
int run_server(settings config, const settings_source& source);

} // namespace lang_agent
