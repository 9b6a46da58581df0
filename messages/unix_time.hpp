/// Time as it is stored: milliseconds of Unix time.
#pragma once

#include <cstdint>

namespace lang_agent {

using unix_ms = std::int64_t;

unix_ms unix_now();

} // namespace lang_agent
