#include "http/thread_header.hpp"

namespace lang_agent::http {

std::string thread_header(std::string_view thread) {
  static constexpr std::string_view hex = "0123456789ABCDEF";
  std::string out;
  for (std::size_t i = 0; i < thread.size(); ++i) {
    const auto byte = static_cast<unsigned char>(thread[i]);
    // Readers of a header drop blanks at its ends.
    const bool at_end = i == 0 || i + 1 == thread.size();
    if (byte >= 0x20 && byte < 0x7f && byte != '%' && !(byte == ' ' && at_end)) {
      out += thread[i];
      continue;
    }
    out += '%';
    out += hex[byte >> 4];
    out += hex[byte & 15];
  }
  return out;
}

} // namespace lang_agent::http
