/// The process's log.
#pragma once

#include "config/settings.hpp"

namespace lang_agent {

/// Logs to standard error through a bounded buffer and a thread of its own: a slow terminal or pipe
/// costs lines, not the server's time. A line is out some ms after it was logged.
void start_logging(const log_settings& settings);

/// Writes what is queued.
void stop_logging();

} // namespace lang_agent
