#include "http/sse_parser.hpp"

#include <algorithm>

namespace lang_agent::http {

sse_parser::sse_parser(std::size_t max_event_bytes) : max_event_bytes_(max_event_bytes) {}

bool sse_parser::feed(std::string_view bytes, const on_data& sink) {
  // Two searches for one byte each are many times faster than one for either.
  auto lf = bytes.find('\n');
  const auto skip = [&](std::size_t n) {
    bytes.remove_prefix(n);
    if (lf != std::string_view::npos)
      lf = lf >= n ? lf - n : bytes.find('\n');
  };
  while (!bytes.empty()) {
    // The LF of a CRLF whose CR ended the line already.
    if (after_cr_ && bytes.front() == '\n')
      skip(1);
    after_cr_ = false;
    const auto end = std::min(bytes.substr(0, lf).find('\r'), lf);
    if (end == std::string_view::npos) {
      line_ += bytes;
      return line_.size() <= max_event_bytes_;
    }
    auto line = bytes.substr(0, end);
    if (!line_.empty()) {
      line_ += line;
      line = line_;
    }
    after_cr_ = bytes[end] == '\r';
    skip(end + 1);
    if (!take_line(line, sink))
      return false;
    line_.clear();
  }
  return true;
}

void sse_parser::finish(const on_data& sink) {
  if (!line_.empty() && take_line(line_, sink))
    line_.clear();
  dispatch(sink);
}

bool sse_parser::take_line(std::string_view line, const on_data& sink) {
  if (at_start_) {
    at_start_ = false;
    constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
    if (line.substr(0, 3) == byte_order_mark)
      line.remove_prefix(3);
  }
  if (line.empty()) {
    dispatch(sink);
    return true;
  }
  constexpr std::string_view field = "data";
  if (line.substr(0, field.size()) != field)
    return true;
  line.remove_prefix(field.size());
  if (!line.empty()) {
    if (line.front() != ':')
      return true; // a longer field name
    line.remove_prefix(1);
    if (!line.empty() && line.front() == ' ')
      line.remove_prefix(1);
  }
  if (has_data_)
    data_ += '\n';
  data_ += line;
  has_data_ = true;
  return data_.size() <= max_event_bytes_;
}

void sse_parser::dispatch(const on_data& sink) {
  if (has_data_ && !data_.empty())
    sink(data_);
  data_.clear();
  has_data_ = false;
}

} // namespace lang_agent::http
