/// What becomes of turns that meet a busy thread, or lose their client.
#pragma once

#include <cstdint>

namespace lang_agent {

enum class busy_policy : std::uint8_t { enqueue, reject };
enum class disconnect_policy : std::uint8_t { cancel, finish };

} // namespace lang_agent
