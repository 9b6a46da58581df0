#include "http/response_parser.hpp"

#include <boost/beast/core/string.hpp>

namespace lang_agent::http {

namespace beast = boost::beast;

bool response_parser::media_type_is(std::string_view x) const {
  const auto type = content_type_.substr(0, content_type_.find_first_of("; \t"));
  return beast::iequals(type, beast::string_view{x.data(), x.size()});
}

void response_parser::on_field_impl(beast::http::field name, string_view, string_view value,
                                    error_code&) {
  if (name == beast::http::field::content_type)
    content_type_.assign(value.data(), value.size());
  else if (name == beast::http::field::retry_after)
    retry_after_.assign(value.data(), value.size());
}

} // namespace lang_agent::http
