/// The rules for the parameters of a completion: which type, which range. Private to http/.
#pragma once

#include "http/dom.hpp"
#include "messages/error.hpp"

#include <optional>
#include <string_view>

namespace lang_agent::http {

/// The failure of a parameter with a wrong value; nothing when it is right, null, or unknown to us
/// (unknown ones are the upstream's business).
std::optional<failure> check_parameter(std::string_view name, const dom::value& x);

/// Whether a name is one of OpenAI's parameters.
bool is_parameter(std::string_view name);

} // namespace lang_agent::http
