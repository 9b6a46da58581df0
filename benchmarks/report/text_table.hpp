/// Plain text for a terminal of 100 columns.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lang_agent::report {

constexpr std::size_t page_width = 100;

using table_row = std::vector<std::string>;

/// Lines of aligned columns: the first to the left, the others to the right. A row with one cell
/// is a heading that spans the table. All texts must be printable.
std::string align(const std::vector<table_row>& rows);

/// "name  part, part, part" with its parts broken into lines that begin below the first part.
std::string list_line(std::string_view name, const std::vector<std::string>& parts);

/// The same with the words of a text; without a name it begins at the first column.
std::string paragraph(std::string_view name, std::string_view text);

} // namespace lang_agent::report
