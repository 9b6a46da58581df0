/// How numbers and names are written, in the terminal and on the page alike.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lang_agent::report {

/// Three significant digits, thousands apart: "0.0123", "1.20", "12.3", "12,345".
std::string format_figure(double x);

/// As a person writes it: "200", "12.5".
std::string format_number(double x);

/// Seconds, with a tenth where that is not zero: "10", "2.5".
std::string format_seconds(double x);

/// A whole number, thousands apart: "12,345".
std::string format_count(double x);

/// The text without what could steer a terminal: control characters become '?', as do bytes that
/// are no UTF-8.
std::string printable(std::string_view text);

/// Columns of a terminal that a printable text takes, each character one.
std::size_t width_of(std::string_view text);

/// At most `width` columns; what was longer ends in "...".
std::string shortened(std::string_view text, std::size_t width);

} // namespace lang_agent::report
