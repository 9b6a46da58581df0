#include "actors/request_log.hpp"

#include "http/json.hpp"

#include <spdlog/spdlog.h>

namespace lang_agent {

namespace {

/// Clients choose these texts: quoted, so that none of them can forge a field or a line.
std::string as_json(std::string_view text) {
  constexpr std::size_t longest = 256;
  std::string out;
  http::append_json_string(out, text.substr(0, longest));
  return out;
}

double ms_between(std::chrono::steady_clock::time_point a,
                  std::chrono::steady_clock::time_point b) {
  return std::chrono::duration<double, std::milli>(b - a).count();
}

spdlog::level::level_enum level_of(int status) {
  if (status == 500)
    return spdlog::level::err;
  return status > 500 ? spdlog::level::warn : spdlog::level::info;
}

} // namespace

void log_request(const request_record& x) {
  const auto level = level_of(x.status);
  if (!spdlog::should_log(level))
    return;
  auto line =
      fmt::format("request id={} method={} path={} status={}", x.head.request_id,
                  x.head.method.empty() ? "-" : x.head.method, as_json(x.head.path), x.status);
  if (!x.error.empty())
    line += " error=" + as_json(x.error);
  if (!x.head.client_request_id.empty())
    line += " client_request_id=" + x.head.client_request_id;
  if (!x.tenant.empty())
    line += fmt::format(" tenant={} thread={}", as_json(x.tenant), as_json(x.thread));
  if (!x.model.empty())
    line += fmt::format(" model={} stream={}", as_json(x.model), x.stream);
  if (x.replayed)
    line += " replay=true";
  if (x.origin)
    line += fmt::format(" upstream={} attempts={}", x.origin->upstream, x.origin->attempts);
  if (x.first_token)
    line += fmt::format(" ttft_ms={:.1f}", ms_between(x.head.received, *x.first_token));
  line += fmt::format(" ms={:.1f}", ms_between(x.head.received, std::chrono::steady_clock::now()));
  if (!x.usage.json.empty())
    line += fmt::format(" prompt_tokens={} completion_tokens={}{}", x.usage.prompt,
                        x.usage.completion, x.usage.estimated ? " tokens_estimated=true" : "");
  spdlog::log(level, "{}", line);
}

void log_content(std::string_view request_id, std::string_view what, std::string_view text) {
  std::string whole;
  http::append_json_string(whole, text);
  spdlog::info("content id={} {}={}", request_id, what, whole);
}

} // namespace lang_agent
