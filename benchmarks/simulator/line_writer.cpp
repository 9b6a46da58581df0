#include "benchmarks/simulator/line_writer.hpp"

#include <cstdio>

namespace lang_agent::simulator {

namespace {

constexpr std::size_t most_unwritten = 64 * 1024 * 1024;

} // namespace

line_writer::line_writer() : thread_([this] { run(); }) {}

line_writer::~line_writer() {
  {
    const std::lock_guard lock{mutex_};
    ending_ = true;
  }
  has_lines_.notify_one();
  thread_.join();
}

void line_writer::write(std::string_view line) {
  {
    std::unique_lock lock{mutex_};
    has_room_.wait(lock, [&] { return lines_.size() < most_unwritten; });
    lines_ += line;
  }
  has_lines_.notify_one();
}

void line_writer::run() {
  for (;;) {
    std::string lines;
    {
      std::unique_lock lock{mutex_};
      has_lines_.wait(lock, [&] { return ending_ || !lines_.empty(); });
      if (lines_.empty())
        return;
      lines.swap(lines_);
    }
    has_room_.notify_all();
    std::fwrite(lines.data(), 1, lines.size(), stdout);
    std::fflush(stdout);
  }
}

} // namespace lang_agent::simulator
