#include "server/logging.hpp"

#include "server/line_writer.hpp"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <unistd.h>

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace lang_agent {

namespace {

constexpr std::size_t most_unwritten = 4 * 1024 * 1024;

constexpr std::string_view reset = "\033[m";

constexpr std::string_view colour_of(spdlog::level::level_enum x) {
  switch (x) {
  case spdlog::level::info:
    return "\033[32m";
  case spdlog::level::warn:
    return "\033[33m\033[1m";
  case spdlog::level::err:
  case spdlog::level::critical:
    return "\033[31m\033[1m";
  default:
    return "\033[36m";
  }
}

/// Lines to standard error, through a thread of its own; for people with the level in colour.
class line_sink final : public spdlog::sinks::base_sink<std::mutex> {
private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    formatted_.clear();
    formatter_->format(message, formatted_);
    const std::string_view line{formatted_.data(), formatted_.size()};
    if (!in_colour_) {
      writer_.write(line);
      return;
    }
    const auto begin = message.color_range_start;
    const auto end = message.color_range_end;
    std::string painted{line.substr(0, begin)};
    painted.append(colour_of(message.level)).append(line.substr(begin, end - begin));
    painted.append(reset).append(line.substr(end));
    writer_.write(painted);
  }

  void flush_() override {}

  const bool in_colour_ = ::isatty(STDERR_FILENO) == 1;
  spdlog::memory_buf_t formatted_;
  line_writer writer_{STDERR_FILENO, most_unwritten, line_writer::when_full::lose};
};

} // namespace

void start_logging(const log_settings& settings) {
  auto logger = std::make_shared<spdlog::logger>("lang-agent", std::make_shared<line_sink>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %^%l%$ %v");
  logger->set_level(spdlog::level::from_str(settings.level));
  spdlog::set_default_logger(std::move(logger));
}

void stop_logging() {
  spdlog::shutdown();
}

} // namespace lang_agent
