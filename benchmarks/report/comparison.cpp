#include "benchmarks/report/figures.hpp"
#include "benchmarks/report/format.hpp"
#include "benchmarks/report/report.hpp"
#include "benchmarks/report/text_table.hpp"

namespace lang_agent::report {

namespace {

constexpr std::size_t longest_name = 22;

table_row row_of(const figure& of, const point& base, const point& other) {
  const auto left = spread_of(base, of);
  const auto right = spread_of(other, of);
  return {"  " + of.name, of.direction == better::lower ? "lower" : "higher",
          left ? to_text(*left) : "-", right ? to_text(*right) : "-",
          left && right ? to_text(compare(*left, *right, of.direction)) : "-"};
}

std::string table_of(const subject& base, const subject& other, const point& x, const point& y) {
  std::vector<table_row> rows = {{"", "better", shortened(base.name, longest_name),
                                  shortened(other.name, longest_name), "ratio"}};
  std::string group;
  for (const auto& of : figures_of({&x, &y})) {
    if (of.group != group)
      rows.push_back({group = of.group});
    rows.push_back(row_of(of, x, y));
  }
  return align(rows);
}

std::string heading(const subject& base, const subject& other, const view& at) {
  auto out = other.name + " beside " + base.name;
  if (!at.name.empty())
    out += ", " + at.name;
  return shortened(out, page_width) + "\n";
}

/// Empty when one of them never had this load.
std::string section(std::span<const subject> subjects, std::size_t i, const view& at) {
  if (!at.members.front() || !at.members[i])
    return "";
  return "\n" + heading(subjects.front(), subjects[i], at)
         + table_of(subjects.front(), subjects[i], *at.members.front(), *at.members[i]);
}

} // namespace

std::string comparison_table(std::span<const labelled_result> results) {
  const auto parsed = parse_results(results);
  const auto subjects = subjects_of(parsed);
  if (subjects.size() < 2)
    return "There is only " + subjects.front().name + ": give another result to compare it with.\n";
  auto out = paragraph("", "Ratios are to " + subjects.front().name
                               + ", the base. ~ means that no difference was shown.");
  const auto views = views_of(subjects);
  if (const auto doubt = doubt_about(views); !doubt.empty())
    out += paragraph("", doubt);
  for (const auto& why : warnings_of(subjects, views))
    out += paragraph("Not comparable:", why);
  for (std::size_t i = 1; i < subjects.size(); ++i)
    for (const auto& x : views)
      out += section(subjects, i, x);
  return out;
}

} // namespace lang_agent::report
