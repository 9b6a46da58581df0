/// Thread ids as header values.
#pragma once

#include <string>
#include <string_view>

namespace lang_agent::http {

/// Visible ASCII and blanks inside as they are, all else (and '%') percent-encoded.
std::string thread_header(std::string_view thread);

} // namespace lang_agent::http
