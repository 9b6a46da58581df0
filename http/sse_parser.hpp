/// Server-sent events, as upstreams send them. Source: WHATWG HTML, section "Server-sent events".
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace lang_agent::http {

/// Takes bytes cut anywhere and gives the data of each event. Lines end with LF, CRLF or CR;
/// comments and fields other than `data` are skipped.
class sse_parser {
public:
  /// `max_event_bytes` bounds one event's data and one line.
  explicit sse_parser(std::size_t max_event_bytes);

  using on_data = std::function<void(std::string_view)>;

  /// Calls `sink` for each event that is complete. False: an event is too large.
  bool feed(std::string_view bytes, const on_data& sink);

  /// The stream ended: an event that lacks only its blank line counts as complete.
  void finish(const on_data& sink);

private:
  bool take_line(std::string_view line, const on_data& sink);
  void dispatch(const on_data& sink);

  std::size_t max_event_bytes_;
  std::string line_; ///< an unfinished line
  std::string data_; ///< of the event being read
  bool has_data_ = false;
  bool after_cr_ = false;
  bool at_start_ = true;
};

} // namespace lang_agent::http
