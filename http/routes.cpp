#include "http/routes.hpp"

#include <array>

namespace lang_agent::http {

namespace {

struct entry {
  std::string_view path; ///< one that ends with '/' stands for what follows it
  std::string_view method;
  endpoint target;
  bool open;
};

constexpr std::array<entry, 5> table{{
    {"/", "GET", endpoint::info, true},
    {"/health", "GET", endpoint::health, true},
    {"/v1/models", "GET", endpoint::models, false},
    {"/v1/models/", "GET", endpoint::model, false},
    {"/v1/chat/completions", "POST", endpoint::chat_completions, false},
}};

bool has_parameter(const entry& x) {
  return x.path.size() > 1 && x.path.back() == '/';
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const auto low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low < 0) {
      out += text[i];
      continue;
    }
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

} // namespace

std::variant<route, no_route> find_route(std::string_view method, std::string_view path) {
  for (const auto& x : table) {
    const bool matches =
        has_parameter(x) ? path.size() > x.path.size() && path.substr(0, x.path.size()) == x.path
                         : path == x.path;
    if (!matches)
      continue;
    if (method == "OPTIONS")
      return route{endpoint::preflight, true};
    const bool also_head = x.method == "GET" && method == "HEAD";
    if (method == x.method || also_head)
      return route{x.target, x.open,
                   has_parameter(x) ? percent_decoded(path.substr(x.path.size())) : std::string{}};
    return no_route{{error_kind::method_not_allowed,
                     "Not allowed to " + std::string{method} + " on " + std::string{path} + "."},
                    x.method == "GET" ? "GET, HEAD, OPTIONS" : std::string{x.method} + ", OPTIONS"};
  }
  if (method == "OPTIONS" && path == "*")
    return route{endpoint::preflight, true};
  return no_route{{error_kind::unknown_url, "Unknown request URL: " + std::string{method} + " "
                                                + std::string{path}
                                                + ". Please check the URL for typos."},
                  {}};
}

} // namespace lang_agent::http
