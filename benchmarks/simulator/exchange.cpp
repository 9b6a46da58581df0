#include "benchmarks/simulator/exchange.hpp"

#include "http/json.hpp"

#include <boost/beast/http/status.hpp>

#include <array>
#include <charconv>

namespace lang_agent::simulator {

namespace {

std::string head(int status, std::string_view type, bool keep_alive, std::string_view fields) {
  const auto reason = boost::beast::http::obsolete_reason(
      boost::beast::http::int_to_status(static_cast<unsigned>(status)));
  std::string out = "HTTP/1.1 " + std::to_string(status) + " ";
  out.append(reason.data(), reason.size()).append("\r\ncontent-type: ").append(type);
  out.append("\r\nserver: lang-agent-simulator\r\n").append(fields);
  if (!keep_alive)
    out += "connection: close\r\n";
  return out;
}

void append_text_or_null(std::string& out, std::string_view text) {
  if (text.empty())
    out += "null";
  else
    http::append_json_string(out, text);
}

} // namespace

std::string sized_head(int status, std::string_view type, std::size_t size, bool keep_alive,
                       std::string_view fields) {
  return head(status, type, keep_alive, fields) + "content-length: " + std::to_string(size)
         + "\r\n\r\n";
}

std::string stream_head(bool keep_alive, std::string_view fields) {
  return head(200, "text/event-stream; charset=utf-8", keep_alive, fields)
         + "cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n";
}

std::string whole_answer(int status, std::string_view type, std::string_view body, bool keep_alive,
                         std::string_view fields) {
  return sized_head(status, type, body.size(), keep_alive, fields).append(body);
}

void append_chunk(std::string& out, std::string_view bytes) {
  std::array<char, 16> size{};
  const auto end = std::to_chars(size.data(), size.data() + size.size(), bytes.size(), 16).ptr;
  out.append(size.data(), end).append("\r\n").append(bytes).append("\r\n");
}

std::string error_body(std::string_view message, std::string_view type, std::string_view param,
                       std::string_view code) {
  std::string out = R"({"error":{"message":)";
  http::append_json_string(out, http::repaired(message)); // it quotes requests
  out += R"(,"type":)";
  http::append_json_string(out, type);
  out += R"(,"param":)";
  append_text_or_null(out, param);
  out += R"(,"code":)";
  append_text_or_null(out, code);
  return out + "}}";
}

} // namespace lang_agent::simulator
