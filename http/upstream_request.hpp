/// What goes to an upstream before a body: the model's name there, and the head of a request.
/// Private to the upstream side.
#pragma once

#include "http/upstream.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace lang_agent::http {

/// What the upstream calls the model that a request names.
std::string upstream_model(const upstream_options& options, const std::string& asked);

/// A request's head for `path` under the base URL, without the empty line: there is room for
/// further headers. `key` is the number of the API key.
std::string upstream_head(const upstream_options& options, std::string_view method,
                          std::string_view path, std::size_t key);

} // namespace lang_agent::http
