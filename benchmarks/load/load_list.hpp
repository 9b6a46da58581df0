/// The loads of a sweep, as a person writes them.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace lang_agent::load {

/// "10", "10,20,40", "10..80" (each twice the one before), "10..80x1.5" (each 1.5 times it). All
/// greater than zero, each greater than the one before, a hundred at most. Nothing for anything
/// else.
std::optional<std::vector<double>> parse_loads(std::string_view text);

} // namespace lang_agent::load
