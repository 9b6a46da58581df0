/// The whole server, wired: settings in, running process out.
#pragma once

#include "config/settings.hpp"

namespace lang_agent {

/// Serves until a signal asks it to stop, then drains. Returns the process's exit code. Throws
/// `std::exception` when it cannot start, e.g. because the address is taken.
int run_server(const settings& config);

} // namespace lang_agent
