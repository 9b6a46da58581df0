#include "http/response_parser.hpp"

#include <boost/beast/core/string.hpp>

namespace lang_agent::http {

namespace beast = boost::beast;

void response_parser::on_field_impl(beast::http::field name, string_view text, string_view value,
                                    error_code&) {
  if (name == beast::http::field::content_type)
    content_type_.assign(value.data(), value.size());
  else if (name == beast::http::field::retry_after)
    retry_after_.assign(value.data(), value.size());
  else if (name == beast::http::field::unknown && beast::iequals(text, "retry-after-ms"))
    retry_after_ms_.assign(value.data(), value.size());
}

} // namespace lang_agent::http
