#include "benchmarks/load/response_parser.hpp"

#include "http/media_type.hpp"

#include <boost/beast/core/string.hpp>

#include <limits>

namespace lang_agent::load {

namespace beast = boost::beast;

response_parser::response_parser(response_sink& sink) : sink_(sink) {
  eager(true);
  body_limit(std::numeric_limits<std::uint64_t>::max()); // who reads it bounds what it keeps
  header_limit(64 * 1024);
}

void response_parser::on_field_impl(beast::http::field name, string_view text, string_view value,
                                    error_code&) {
  if (name == beast::http::field::content_type)
    head_.is_event_stream = http::is_media_type({value.data(), value.size()}, "text/event-stream");
  else if (name == beast::http::field::unknown && beast::iequals(text, "x-thread-id"))
    head_.names_thread = true;
}

void response_parser::on_header_impl(error_code&) {
  if (!is_interim())
    sink_.on_head(head_);
}

std::size_t response_parser::on_body_impl(string_view body, error_code&) {
  sink_.on_body({body.data(), body.size()});
  return body.size();
}

} // namespace lang_agent::load
