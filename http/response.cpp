#include "http/response.hpp"

#include "http/json.hpp"

#include <ctime>

namespace lang_agent::http {

namespace {

std::string_view reason_of(int status) {
  switch (status) {
  case 200:
    return "OK";
  case 204:
    return "No Content";
  case 400:
    return "Bad Request";
  case 401:
    return "Unauthorized";
  case 403:
    return "Forbidden";
  case 404:
    return "Not Found";
  case 405:
    return "Method Not Allowed";
  case 406:
    return "Not Acceptable";
  case 408:
    return "Request Timeout";
  case 409:
    return "Conflict";
  case 410:
    return "Gone";
  case 413:
    return "Content Too Large";
  case 415:
    return "Unsupported Media Type";
  case 422:
    return "Unprocessable Content";
  case 429:
    return "Too Many Requests";
  case 431:
    return "Request Header Fields Too Large";
  case 451:
    return "Unavailable For Legal Reasons";
  case 499:
    return "Client Closed Request";
  case 500:
    return "Internal Server Error";
  case 502:
    return "Bad Gateway";
  case 503:
    return "Service Unavailable";
  case 504:
    return "Gateway Timeout";
  default:
    return "Status";
  }
}

/// The value of `date`, made anew once a second.
const std::string& http_date() {
  thread_local std::time_t made = 0;
  thread_local std::string text;
  const auto now = std::time(nullptr);
  if (now != made) {
    made = now;
    std::tm parts{};
    gmtime_r(&now, &parts);
    char buffer[64];
    text.assign(buffer, std::strftime(buffer, sizeof buffer, "%a, %d %b %Y %H:%M:%S GMT", &parts));
  }
  return text;
}

constexpr std::string_view cors = "access-control-allow-origin: *\r\n"
                                  "access-control-expose-headers: x-request-id, x-thread-id, "
                                  "x-context-messages, x-idempotent-replay, openai-processing-ms, "
                                  "x-upstream-attempts, x-dropped-parameters, "
                                  "x-ratelimit-limit-requests, x-ratelimit-remaining-requests, "
                                  "x-ratelimit-reset-requests, x-ratelimit-limit-tokens, "
                                  "x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens, "
                                  "retry-after, retry-after-ms\r\n";

} // namespace

void add_header(response& out, std::string_view name, std::string_view value) {
  out.headers.append(name).append(": ");
  for (const char c : value)
    out.headers += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  out.headers += "\r\n";
}

response error_response(const failure& why) {
  response out;
  out.status = why.http_status();
  out.body = encode_error(why);
  if (!why.retry_after.empty())
    add_header(out, "retry-after", why.retry_after);
  if (!why.retry_after_ms.empty())
    add_header(out, "retry-after-ms", why.retry_after_ms);
  // The SDKs of OpenAI repeat a request after any 409 and 429, which is right for a busy thread and
  // for what passes in a minute.
  const bool is_final =
      why.is_final || why.kind == error_kind::insufficient_quota
      || why.kind == error_kind::tenant_is_configured || why.kind == error_kind::thread_exists
      || why.kind == error_kind::thread_changed || why.kind == error_kind::idempotency_key_conflict;
  if (is_final)
    add_header(out, "x-should-retry", "false");
  if (out.status == 401)
    add_header(out, "www-authenticate", "Bearer");
  return out;
}

std::string render_head(const response& x, const request_head& to, framing body, bool keep_alive) {
  const auto spent = std::chrono::steady_clock::now() - to.received;
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(spent).count();
  std::string out;
  out.reserve(512 + x.headers.size());
  out += "HTTP/1.1 ";
  out += std::to_string(x.status);
  out += ' ';
  out += reason_of(x.status);
  out += "\r\ndate: ";
  out += http_date();
  out += "\r\nx-request-id: ";
  out += to.request_id;
  out += "\r\nopenai-processing-ms: ";
  out += std::to_string(ms);
  out += "\r\n";
  out += cors;
  if (x.status != 204)
    out.append("content-type: ").append(x.content_type).append("\r\n");
  if (body == framing::chunked)
    out += "transfer-encoding: chunked\r\n";
  else if (body == framing::length && x.status != 204)
    out.append("content-length: ").append(std::to_string(x.body.size())).append("\r\n");
  if (!keep_alive)
    out += "connection: close\r\n";
  else if (!to.is_http_1_1)
    out += "connection: keep-alive\r\n";
  out += x.headers;
  out += "\r\n";
  return out;
}

} // namespace lang_agent::http
