/// The process's log.
#pragma once

#include "config/settings.hpp"

namespace lang_agent {

/// Logs to standard error through a bounded queue and a thread of its own: a slow terminal or pipe
/// costs the oldest lines, not the server's time.
void start_logging(const log_settings& settings);

/// Writes what is queued.
void stop_logging();

} // namespace lang_agent
