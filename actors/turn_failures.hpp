/// Why turns end without an answer, in the words that clients see.
#pragma once

#include "messages/error.hpp"

#include <string>

namespace lang_agent {

failure thread_busy();
failure thread_queue_full();
failure waited_too_long();
failure server_stops();
failure key_conflict();
failure thread_deleted();
failure client_left();

/// `id`: of the call that the message says it answers.
failure stray_tool_answer(const std::string& id);

} // namespace lang_agent
