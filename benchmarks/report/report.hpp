/// What people see of a result of `lang-agent bench`: text for a terminal, and a page with plots.
///
/// All functions read documents of the schema "lang-agent-bench/1". They throw std::runtime_error,
/// with a message that says what to do, for what is no such document.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace lang_agent::report {

/// A result document with the name that it has in a report, e.g. its file's.
struct labelled_result {
  std::string label;
  std::string json;
};

/// The figures of each target of one result. Plain text of at most 100 columns. Of several rounds
/// it has the medians, with the lowest and highest round; of a sweep, the steps and the knee.
std::string summary_table(std::string_view result_json);

/// Every figure as a ratio to the base: the first target of the first result. Says so when the runs
/// had different loads. Plain text of at most 100 columns. Throws for an empty list as well.
std::string comparison_table(std::span<const labelled_result> results);

/// One HTML file with tables and plots of all results, ratios to the first target of the first one.
/// It refers to nothing outside of itself. Throws for an empty list as well.
std::string html_report(std::span<const labelled_result> results);

} // namespace lang_agent::report
