#include "benchmarks/load/live_view.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace lang_agent::load {

namespace {

constexpr std::size_t bar_width = 40;

template <class... T>
std::string text(const char* format, T... values) {
  char out[400];
  std::snprintf(out, sizeof out, format, values...);
  return out;
}

std::string or_dash(const std::optional<double>& ms) {
  return ms ? text("%.1f ms", *ms) : "-";
}

std::string errors_of(const snapshot& x) {
  if (x.errors.empty())
    return "none";
  std::string out;
  for (const auto& [kind, count] : x.errors)
    out += (out.empty() ? "" : ", ") + kind + " " + std::to_string(count);
  return out.substr(0, 80);
}

std::string line_of(const std::string& label, const snapshot& x) {
  return text("%s: %.0f s %s, %llu answered, %llu failed, %llu in flight, last second: %llu "
              "answers, %llu tokens, p50 %s, p99 %s\n",
              label.c_str(), x.seconds, x.phase.c_str(),
              static_cast<unsigned long long>(x.requests.completed),
              static_cast<unsigned long long>(x.requests.failed),
              static_cast<unsigned long long>(x.in_flight),
              static_cast<unsigned long long>(x.last.completed),
              static_cast<unsigned long long>(x.last.output_tokens),
              or_dash(x.last.e2e_p50).c_str(), or_dash(x.last.e2e_p99).c_str());
}

std::size_t terminal_width() {
  winsize size{};
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

/// A line that wraps would take two lines of the screen.
std::string cut_lines(const std::string& text, std::size_t width) {
  std::string out;
  std::size_t column = 0;
  for (const char c : text) {
    column = c == '\n' ? 0 : column + 1;
    if (column < width)
      out += c;
  }
  return out;
}

std::string block_of(const std::string& label, const snapshot& x) {
  const auto number = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
  const auto part = static_cast<std::size_t>(x.progress * bar_width);
  std::string out = label + "\n";
  out += "  [" + std::string(part, '#') + std::string(bar_width - part, ' ') + "] "
         + text("%3.0f %%  %.0f s  %s\n", 100 * x.progress, x.seconds, x.phase.c_str());
  out += text("  in flight %llu (%llu waiting), %llu connections\n", number(x.in_flight),
              number(x.waiting), number(x.connections));
  out +=
      text("  last second: %llu answers, %llu tokens, p50 to first token %s,\n"
           "               to the end %s, p99 %s\n",
           number(x.last.completed), number(x.last.output_tokens), or_dash(x.last.ttft_p50).c_str(),
           or_dash(x.last.e2e_p50).c_str(), or_dash(x.last.e2e_p99).c_str());
  out += text("  answered %llu of %llu, errors: ", number(x.requests.completed),
              number(x.requests.scheduled))
         + errors_of(x) + "\n";
  return out;
}

} // namespace

live_view::live_view() : is_terminal_(isatty(STDERR_FILENO) == 1) {}

live_view::~live_view() {
  clear();
}

std::chrono::milliseconds live_view::interval() const {
  return is_terminal_ ? std::chrono::milliseconds{250} : std::chrono::milliseconds{5000};
}

void live_view::show(const std::string& label, const snapshot& now) {
  if (!is_terminal_) {
    if (now.seconds >= 1) // the first picture shows nothing
      std::fputs(line_of(label, now).c_str(), stderr);
    return;
  }
  clear();
  const auto block = cut_lines(block_of(label, now), terminal_width());
  lines_ = static_cast<int>(std::count(block.begin(), block.end(), '\n'));
  std::fputs(block.c_str(), stderr);
}

void live_view::clear() {
  if (lines_ > 0)
    std::fprintf(stderr, "\x1b[%dA\r\x1b[J", lines_);
  lines_ = 0;
}

} // namespace lang_agent::load
