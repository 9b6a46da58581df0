#include "server/progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace lang_agent {

namespace {

constexpr std::chrono::milliseconds redraw_interval{100};
constexpr std::size_t bar_width = 30;

/// "1.5M": short enough that a line stays a line.
std::string short_number(std::uint64_t x) {
  const char* suffixes = " kMGT";
  auto value = static_cast<double>(x);
  std::size_t i = 0;
  for (; value >= 10'000 && i < 4; ++i)
    value /= 1000;
  char text[32];
  std::snprintf(text, sizeof text, i == 0 ? "%.0f" : "%.1f%c", value, suffixes[i]);
  return text;
}

} // namespace

progress::progress(std::string what, std::uint64_t total, std::string unit)
    : what_(std::move(what)),
      total_(total),
      unit_(std::move(unit)),
      visible_(isatty(STDERR_FILENO) == 1) {}

progress::~progress() {
  if (visible_ && drawn_ != std::chrono::steady_clock::time_point{})
    std::fputs("\r\x1b[K", stderr);
}

void progress::add(std::uint64_t done) {
  done_ += done;
  const auto now = std::chrono::steady_clock::now();
  if (!visible_ || now - drawn_ < redraw_interval)
    return;
  drawn_ = now;
  draw();
}

void progress::draw() const {
  std::string line = "\r\x1b[K" + what_ + " ";
  if (total_ > 0) {
    const auto part = std::min(done_, total_) * bar_width / total_;
    line += "[" + std::string(part, '#') + std::string(bar_width - part, ' ') + "] "
            + std::to_string(std::min(done_, total_) * 100 / total_) + " % ";
  }
  line += short_number(done_) + " " + unit_;
  std::fputs(line.c_str(), stderr);
}

} // namespace lang_agent
