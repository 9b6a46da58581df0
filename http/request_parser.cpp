#include "http/request_parser.hpp"

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>

namespace lang_agent::http {

namespace beast = boost::beast;

namespace {

constexpr std::size_t max_request_id = 128;
constexpr std::size_t max_idempotency_key = 255;
/// A body's buffer is reserved up to here on the client's word alone.
constexpr std::uint64_t max_trusted_length = 1024 * 1024;

std::string text(beast::string_view x) {
  return {x.data(), x.size()};
}

beast::string_view string_of(std::string_view x) {
  return {x.data(), x.size()};
}

bool is_visible_ascii(std::string_view x) {
  return std::all_of(x.begin(), x.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

/// The path of a request target in origin form or absolute form; empty if it has none.
std::string path_of(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (beast::iequals(string_of(target.substr(0, scheme.size())), string_of(scheme))) {
      target = target.substr(std::min(target.find_first_of("/?#", scheme.size()), target.size()));
      if (target.empty() || target.front() != '/')
        return "/"; // an authority with at most a query
    }
  }
  target = target.substr(0, target.find_first_of("?#"));
  if (target.empty() || (target.front() != '/' && target != "*"))
    return {};
  std::string path;
  path.reserve(target.size());
  for (const char c : target)
    if (c != '/' || path.empty() || path.back() != '/')
      path += c;
  if (path.size() > 1 && path.back() == '/')
    path.pop_back();
  return path;
}

std::string query_of(std::string_view target) {
  target = target.substr(0, target.find('#'));
  const auto mark = target.find('?');
  return mark == std::string_view::npos ? std::string{} : std::string{target.substr(mark + 1)};
}

bool is_positive_number(std::string_view x) {
  return x.find_first_not_of("0123456789") == std::string_view::npos
         && x.find_first_not_of('0') != std::string_view::npos;
}

} // namespace

request_parser::request_parser(std::size_t max_header_bytes, std::size_t max_body_bytes)
    : max_body_bytes_(max_body_bytes) {
  header_limit(static_cast<std::uint32_t>(max_header_bytes));
  // A body that is announced as too large is the connection's business, after the key's check.
  body_limit(boost::none);
}

bool request_parser::has_body() const {
  return chunked() || content_length().value_or(0) > 0;
}

std::optional<failure> request_parser::check_head() const {
  const auto invalid = [](std::string message) {
    return failure{error_kind::invalid_http, std::move(message)};
  };
  if (hosts_ > 1 || bad_host_ || (hosts_ == 0 && head_.is_http_1_1))
    return invalid("The request must have exactly one valid Host header.");
  if (twice_)
    return invalid("The Authorization and Content-Type headers must be given once.");
  if (bad_target_)
    return invalid("The request target must be a path.");
  if (bad_key_)
    return invalid("The Idempotency-Key header must have 1 to 255 visible ASCII characters.");
  if (two_keys_)
    return invalid("The Idempotency-Key header must be given once.");
  if (has_transfer_encoding_ && (bad_encoding_ || !chunked()))
    return invalid("The only Transfer-Encoding that is understood is 'chunked'.");
  if (has_transfer_encoding_ && !head_.is_http_1_1)
    return invalid("HTTP/1.0 has no Transfer-Encoding.");
  return std::nullopt;
}

void request_parser::on_request_impl(beast::http::verb, string_view method, string_view target,
                                     int version, error_code&) {
  head_.method = text(method);
  head_.path = path_of({target.data(), target.size()});
  head_.query = query_of({target.data(), target.size()});
  head_.is_http_1_1 = version >= 11;
  bad_target_ = head_.path.empty();
}

void request_parser::on_field_impl(beast::http::field name, string_view name_string,
                                   string_view value, error_code&) {
  using beast::http::field;
  switch (name) {
  case field::host:
    ++hosts_;
    bad_host_ = value.find_first_of(" ,/@\t") != string_view::npos;
    break;
  case field::authorization:
    twice_ = twice_ || !head_.authorization.empty();
    head_.authorization = text(value);
    break;
  case field::content_type:
    twice_ = twice_ || !head_.content_type.empty();
    head_.content_type = text(value);
    break;
  case field::expect:
    expects_continue_ = beast::iequals(value, "100-continue");
    break;
  case field::transfer_encoding:
    has_transfer_encoding_ = true;
    bad_encoding_ = bad_encoding_ || !beast::iequals(value, "chunked");
    break;
  case field::access_control_request_headers:
    head_.requested_headers = text(value);
    break;
  case field::unknown:
    on_other_field(name_string, value);
    break;
  default:
    break;
  }
}

/// Fields that Beast has no name for.
void request_parser::on_other_field(string_view name, string_view value) {
  const bool sane_id = !value.empty() && value.size() <= max_request_id && is_visible_ascii(value);
  if (beast::iequals(name, "idempotency-key"))
    on_idempotency_key(value);
  else if (beast::iequals(name, "x-stainless-retry-count"))
    head_.is_retry = is_positive_number(value);
  else if (sane_id && beast::iequals(name, "x-request-id"))
    head_.request_id = text(value);
  else if (sane_id && beast::iequals(name, "x-client-request-id"))
    head_.client_request_id = text(value);
}

void request_parser::on_idempotency_key(string_view value) {
  if (value.empty() || value.size() > max_idempotency_key || !is_visible_ascii(value)) {
    bad_key_ = true;
    return;
  }
  two_keys_ = two_keys_ || (!head_.idempotency_key.empty() && head_.idempotency_key != text(value));
  head_.idempotency_key = text(value);
}

void request_parser::on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code&) {
  if (length && keeps_whole_body())
    body_.reserve(static_cast<std::size_t>(std::min(*length, max_trusted_length)));
}

std::size_t request_parser::on_body_impl(string_view body, error_code& ec) {
  if (discard_)
    return body.size();
  if (keeps_whole_body() && body_.size() + body.size() > max_body_bytes_) {
    ec = beast::http::error::body_limit;
    return 0;
  }
  const auto taken = std::min(body.size(), max_piece_ - body_.size());
  body_.append(body.data(), taken);
  return taken;
}

void request_parser::on_chunk_header_impl(std::uint64_t size, string_view, error_code& ec) {
  if (keeps_whole_body() && size > max_body_bytes_ - body_.size())
    ec = beast::http::error::body_limit;
}

std::size_t request_parser::on_chunk_body_impl(std::uint64_t, string_view body, error_code& ec) {
  return on_body_impl(body, ec);
}

failure parse_failure(const beast::error_code& ec, std::size_t max_header_bytes,
                      std::size_t max_body_bytes) {
  using beast::http::error;
  if (ec == error::header_limit)
    return {error_kind::headers_too_large,
            "The request's head is larger than " + std::to_string(max_header_bytes) + " bytes."};
  if (ec == error::body_limit)
    return {error_kind::request_too_large,
            "The request's body is larger than " + std::to_string(max_body_bytes) + " bytes."};
  return {error_kind::invalid_http, "The request is no valid HTTP/1.1: " + ec.message() + "."};
}

} // namespace lang_agent::http
