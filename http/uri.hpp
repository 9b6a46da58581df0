/// Request targets: percent-encoding and queries. Source: RFC 3986; queries as HTML forms write
/// them.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lang_agent::http {

/// What is no escape stays as it is.
std::string percent_decoded(std::string_view text);

/// The other way, for one segment of a path.
std::string percent_encoded(std::string_view segment);

/// The names and values of a query, decoded, in their order. '+' is a blank.
std::vector<std::pair<std::string, std::string>> query_parameters(std::string_view query);

} // namespace lang_agent::http
