#include "benchmarks/report/assets.hpp"
#include "benchmarks/report/page_json.hpp"
#include "benchmarks/report/report.hpp"

#include <array>
#include <utility>

namespace lang_agent::report {

namespace {

using part = std::pair<std::string_view, std::string_view>; ///< placeholder, text

/// JSON without what could end a script element or be markup. Such characters stand in strings
/// only, where the escape means the same.
std::string without_markup(std::string_view json) {
  std::string out;
  for (const auto x : json)
    switch (x) {
    case '<':
      out += "\\u003c";
      break;
    case '>':
      out += "\\u003e";
      break;
    case '&':
      out += "\\u0026";
      break;
    default:
      out += x;
    }
  return out;
}

/// In one pass, so that what was put in is not looked through again.
std::string fill_in(std::string_view page, std::span<const part> parts) {
  constexpr std::string_view open = "{{";
  constexpr std::string_view close = "}}";
  std::string out;
  for (auto start = page.find(open); start != page.npos; start = page.find(open)) {
    const auto end = page.find(close, start);
    const auto name = page.substr(start + open.size(), end - start - open.size());
    out += page.substr(0, start);
    for (const auto& [placeholder, text] : parts)
      if (placeholder == name)
        out += text;
    page.remove_prefix(end + close.size());
  }
  return out += page;
}

} // namespace

std::string html_report(std::span<const labelled_result> results) {
  const auto data = without_markup(page_data(parse_results(results)));
  const auto parts = std::to_array<part>({{"style", assets::style},
                                          {"data", data},
                                          {"chart_js", assets::chart_js},
                                          {"plots_js", assets::plots_js},
                                          {"report_js", assets::report_js}});
  return fill_in(assets::page, parts);
}

} // namespace lang_agent::report
