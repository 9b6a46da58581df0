#include "server/line_writer.hpp"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace lang_agent {

namespace {

constexpr std::chrono::seconds patience{1};
/// Between two writes: a wake-up and a system call for each line would cost more than the line.
constexpr std::chrono::milliseconds pause{10};

/// Without stdio, whose lock would be held for as long as a write hangs.
void write_out(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::write(descriptor, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return; // nobody reads any more
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

} // namespace

struct line_writer::shared {
  shared(int to, std::size_t limit, when_full p)
      : descriptor(to), most_unwritten(limit), policy(p) {}

  const int descriptor;
  const std::size_t most_unwritten;
  const when_full policy;

  std::mutex mutex;
  std::condition_variable has_work;
  std::condition_variable has_room;
  std::condition_variable has_ended;
  std::string lines;
  std::size_t lost = 0;
  bool asleep = false; ///< the thread has nothing to do
  bool ending = false;
  bool ended = false;

  bool is_full() const {
    return lines.size() >= most_unwritten;
  }

  void run() {
    std::string taken;
    std::unique_lock lock{mutex};
    while (true) {
      asleep = true;
      has_work.wait(lock, [&] { return ending || !lines.empty(); });
      asleep = false;
      if (lines.empty())
        break;
      if (const auto n = std::exchange(lost, 0); n > 0)
        lines += "lines lost, as nobody took them in time: " + std::to_string(n) + "\n";
      taken.clear();
      taken.swap(lines);
      has_room.notify_all();
      lock.unlock();
      write_out(descriptor, taken);
      lock.lock();
      has_work.wait_for(lock, pause, [&] { return ending; });
    }
    ended = true;
    has_ended.notify_all();
  }
};

line_writer::line_writer(int descriptor, std::size_t most_unwritten, when_full policy)
    : shared_(std::make_shared<shared>(descriptor, most_unwritten, policy)) {
  std::thread{[x = shared_] { x->run(); }}.detach();
}

line_writer::~line_writer() {
  end();
  std::unique_lock lock{shared_->mutex};
  shared_->has_ended.wait_for(lock, patience, [&] { return shared_->ended; });
}

void line_writer::write(std::string_view line) {
  auto& x = *shared_;
  std::unique_lock lock{x.mutex};
  if (x.policy == when_full::wait)
    x.has_room.wait(lock, [&] { return x.ending || !x.is_full(); });
  if (x.is_full()) {
    ++x.lost;
    return;
  }
  x.lines += line;
  if (x.asleep)
    x.has_work.notify_one();
}

void line_writer::end() {
  {
    const std::lock_guard lock{shared_->mutex};
    shared_->ending = true;
  }
  shared_->has_work.notify_all();
  shared_->has_room.notify_all();
}

} // namespace lang_agent
