/// The parts of the page, from files: the .cpp is generated when building.
#pragma once

#include <string_view>

namespace lang_agent::report::assets {

extern const std::string_view page;      ///< report.html; "{{name}}" stands for each of the others
extern const std::string_view style;     ///< report.css
extern const std::string_view chart_js;  ///< Chart.js with its licence note
extern const std::string_view plots_js;  ///< plots.js
extern const std::string_view report_js; ///< report.js

} // namespace lang_agent::report::assets
