/// Identifiers for requests and answers.
#pragma once

#include <cstddef>
#include <string>

namespace lang_agent::http {

/// Random letters and digits. Unique for all practical purposes, not secret.
std::string random_id(std::size_t length);

} // namespace lang_agent::http
