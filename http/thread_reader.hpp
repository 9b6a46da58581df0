/// What our API answers, read back: for the command line.
#pragma once

#include "messages/threads.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace lang_agent::http {

/// A list of threads, without instructions. Times are exact to the second. Unset: it is none.
std::optional<page<thread_info>> decode_thread_list(std::string_view body);

/// The message of an error object; empty: it is none.
std::string decode_error_message(std::string_view body);

} // namespace lang_agent::http
