#include "http/metrics_text.hpp"

namespace lang_agent::http {

namespace {

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '\\' || c == '"')
      out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
}

} // namespace

void metrics_text::metric(std::string_view name, metric_type type, std::string_view help) {
  name_ = name;
  text_.append("# HELP ").append(name).append(" ").append(help);
  text_.append("\n# TYPE ").append(name);
  text_.append(type == metric_type::counter ? " counter\n" : " gauge\n");
}

void metrics_text::sample(std::uint64_t value, const labels& x) {
  text_ += name_;
  char separator = '{';
  for (const auto& [name, label] : x) {
    text_.append(1, separator).append(name).append("=\"");
    append_escaped(text_, label);
    text_ += '"';
    separator = ',';
  }
  if (!x.empty())
    text_ += '}';
  text_.append(" ").append(std::to_string(value)).append("\n");
}

} // namespace lang_agent::http
