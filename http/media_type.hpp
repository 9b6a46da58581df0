/// Content types.
#pragma once

#include <algorithm>
#include <string_view>

namespace lang_agent::http {

/// Whether a `content-type` value names this type (in lower case), whatever its case and
/// parameters.
inline bool is_media_type(std::string_view content_type, std::string_view wanted) {
  const auto type = content_type.substr(0, content_type.find_first_of("; \t"));
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  return std::equal(type.begin(), type.end(), wanted.begin(), wanted.end(),
                    [&](char a, char b) { return lower(a) == b; });
}

} // namespace lang_agent::http
