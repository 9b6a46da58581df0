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

/// With one digit behind the point.
std::string ms_between(std::chrono::steady_clock::time_point a,
                       std::chrono::steady_clock::time_point b) {
  const auto tenths = (b - a) / std::chrono::microseconds{100};
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10);
}

spdlog::level::level_enum level_of(int status) {
  if (status == 500)
    return spdlog::level::err;
  return status > 500 ? spdlog::level::warn : spdlog::level::info;
}

} // namespace

std::string code_of(const failure& why) {
  return why.code.empty() ? std::string{contract_of(why.kind).code} : why.code;
}

/// Appended piece by piece: a line for each request, and formatting cost more than all the rest of
/// it.
void log_request(const request_record& x) {
  const auto level = level_of(x.status);
  if (!spdlog::should_log(level))
    return;
  std::string line = "request id=" + x.head.request_id;
  line.append(" method=").append(x.head.method.empty() ? "-" : x.head.method);
  line += " path=" + as_json(x.head.path) + " status=" + std::to_string(x.status);
  if (!x.error.empty())
    line += " error=" + as_json(x.error);
  if (!x.head.client_request_id.empty())
    line += " client_request_id=" + x.head.client_request_id;
  if (!x.tenant.empty())
    line += " tenant=" + as_json(x.tenant) + " key=" + x.key + " thread=" + as_json(x.thread);
  if (!x.model.empty())
    line.append(" model=")
        .append(as_json(x.model))
        .append(x.stream ? " stream=true" : " stream=false");
  if (x.replayed)
    line += " replay=true";
  if (x.origin)
    line += " upstream=" + x.origin->upstream + " attempts=" + std::to_string(x.origin->attempts);
  const auto now = std::chrono::steady_clock::now();
  if (const auto& first = x.timing.first_token)
    line += " ttft_ms=" + ms_between(x.head.received, *first);
  line += " ms=" + ms_between(x.head.received, now) + x.timing.log_fields(now);
  if (!x.usage.json.empty())
    line += " prompt_tokens=" + std::to_string(x.usage.prompt)
            + " completion_tokens=" + std::to_string(x.usage.completion)
            + (x.usage.estimated ? " tokens_estimated=true" : "");
  spdlog::log(level, line);
}

void log_content(std::string_view request_id, std::string_view what, std::string_view text) {
  std::string whole;
  http::append_json_string(whole, text);
  spdlog::info("content id={} {}={}", request_id, what, whole);
}

} // namespace lang_agent
