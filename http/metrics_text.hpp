/// Figures for those who watch the server. Source: Prometheus text exposition format 0.0.4.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lang_agent::http {

enum class metric_type : std::uint8_t { counter, gauge };

class metrics_text {
public:
  using labels = std::vector<std::pair<std::string_view, std::string_view>>;

  static constexpr std::string_view content_type = "text/plain; version=0.0.4; charset=utf-8";

  /// Starts a metric; its samples follow.
  void metric(std::string_view name, metric_type type, std::string_view help);
  void sample(std::uint64_t value, const labels& x = {});

  const std::string& text() const {
    return text_;
  }

private:
  std::string text_;
  std::string name_;
};

} // namespace lang_agent::http
