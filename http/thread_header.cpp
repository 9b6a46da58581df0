#include "http/thread_header.hpp"

namespace lang_agent::http {

std::string thread_header(std::string_view thread) {
  static constexpr std::string_view hex = "0123456789ABCDEF";
  std::string out;
  for (const char c : thread) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '%') {
      out += c;
      continue;
    }
    out += '%';
    out += hex[byte >> 4];
    out += hex[byte & 15];
  }
  return out;
}

} // namespace lang_agent::http
