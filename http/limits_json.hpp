/// Usage limits as members of a JSON object, by the names of the config. Private to http/.
#pragma once

#include "http/object_reader.hpp"
#include "messages/limits.hpp"

namespace lang_agent::http {

/// Those of `in` itself.
void read_limits(object_reader& in, usage_limits& out);

/// An object of limits by itself, as one member of `in`.
std::optional<failure> read_limits(object_reader& in, const std::string& name, usage_limits& out);

void append_limits(std::string& out, const usage_limits& x);

/// {"max_turns":0,...}
std::string limits_text(const usage_limits& x);

} // namespace lang_agent::http
