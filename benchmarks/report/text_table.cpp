#include "benchmarks/report/text_table.hpp"

#include "benchmarks/report/format.hpp"

#include <algorithm>
#include <sstream>

namespace lang_agent::report {

namespace {

constexpr std::size_t gap = 2;
constexpr std::size_t indent = 12;

std::vector<std::size_t> widths_of(const std::vector<table_row>& rows) {
  std::vector<std::size_t> out;
  for (const auto& row : rows) {
    if (row.size() < 2)
      continue;
    out.resize(std::max(out.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i)
      out[i] = std::max(out[i], width_of(row[i]));
  }
  return out;
}

void trim_end(std::string& line) {
  line.erase(line.find_last_not_of(' ') + 1);
}

/// Parts beside each other, in lines that begin below the first part.
std::string fill(std::string_view name, const std::vector<std::string>& parts) {
  std::string out;
  std::string line{name};
  const auto start = name.empty() ? 0 : std::max(name.size() + 1, indent);
  line.resize(start, ' ');
  for (const auto& x : parts) {
    const auto part = shortened(x, page_width - start);
    if (width_of(line) + width_of(part) > page_width && width_of(line) > start) {
      trim_end(line);
      out += line + "\n";
      line = std::string(start, ' ');
    }
    line += part + " ";
  }
  trim_end(line);
  return out + line + "\n";
}

} // namespace

std::string align(const std::vector<table_row>& rows) {
  const auto widths = widths_of(rows);
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    if (row.size() == 1) {
      out += shortened(row.front(), page_width) + "\n";
      continue;
    }
    for (std::size_t i = 0; i < row.size(); ++i) {
      const auto padding = widths[i] - width_of(row[i]);
      line +=
          i == 0 ? row[i] + std::string(padding, ' ') : std::string(gap + padding, ' ') + row[i];
    }
    trim_end(line);
    out += line + "\n";
  }
  return out;
}

std::string list_line(std::string_view name, const std::vector<std::string>& parts) {
  auto with_commas = parts;
  for (std::size_t i = 0; i + 1 < parts.size(); ++i)
    with_commas[i] += ",";
  return fill(name, with_commas);
}

std::string paragraph(std::string_view name, std::string_view text) {
  std::vector<std::string> words;
  std::istringstream in{std::string{text}};
  for (std::string word; in >> word;)
    words.push_back(word);
  return fill(name, words);
}

} // namespace lang_agent::report
