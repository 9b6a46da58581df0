#include "benchmarks/simulator/line_writer.hpp"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace lang_agent::simulator {

namespace {

constexpr std::size_t most_unwritten = 64 * 1024 * 1024;
constexpr std::chrono::seconds patience{1};

/// Without stdio, whose lock would be held for as long as a write hangs.
void write_out(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return; // nobody reads any more
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

} // namespace

struct line_writer::shared {
  std::mutex mutex;
  std::condition_variable has_lines;
  std::condition_variable has_room;
  std::condition_variable has_ended;
  std::string lines;
  bool ending = false;
  bool ended = false;

  void run() {
    for (;;) {
      std::string taken;
      {
        std::unique_lock lock{mutex};
        has_lines.wait(lock, [&] { return ending || !lines.empty(); });
        if (lines.empty()) {
          ended = true;
          has_ended.notify_all();
          return;
        }
        taken.swap(lines);
      }
      has_room.notify_all();
      write_out(taken);
    }
  }
};

line_writer::line_writer() : shared_(std::make_shared<shared>()) {
  std::thread{[x = shared_] { x->run(); }}.detach();
}

line_writer::~line_writer() {
  end();
  std::unique_lock lock{shared_->mutex};
  shared_->has_ended.wait_for(lock, patience, [&] { return shared_->ended; });
}

void line_writer::write(std::string_view line) {
  {
    std::unique_lock lock{shared_->mutex};
    shared_->has_room.wait(
        lock, [&] { return shared_->ending || shared_->lines.size() < most_unwritten; });
    shared_->lines += line;
  }
  shared_->has_lines.notify_one();
}

void line_writer::end() {
  {
    const std::lock_guard lock{shared_->mutex};
    shared_->ending = true;
  }
  shared_->has_lines.notify_all();
  shared_->has_room.notify_all();
}

} // namespace lang_agent::simulator
