/// HTTP/1 response parsing on Boost.Beast's parser: body pieces go to a sink as they come. Private
/// to the upstream side. Source: RFC 9110 and RFC 9112.
#pragma once

#include "http/media_type.hpp"
#include "http/retry_after.hpp"

#include <boost/beast/core/error.hpp>
#include <boost/beast/http/basic_parser.hpp>

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>

namespace lang_agent::http {

class response_parser : public boost::beast::http::basic_parser<false> {
public:
  using on_piece = std::function<void(std::string_view)>;

  explicit response_parser(on_piece sink) : sink_(std::move(sink)) {
    eager(true);
    body_limit(std::numeric_limits<std::uint64_t>::max()); // the sink bounds what it keeps
    header_limit(64 * 1024);
  }

  int status() const {
    return status_;
  }

  /// 100 Continue and alike: the answer is still to come.
  bool is_interim() const {
    return status_ >= 100 && status_ < 200;
  }

  const std::string& content_type() const {
    return content_type_;
  }

  bool is_event_stream() const {
    return is_media_type(content_type_, "text/event-stream");
  }

  /// A missing type is taken for JSON.
  bool is_json() const {
    return content_type_.empty() || is_media_type(content_type_, "application/json");
  }

  /// How long it asks to wait, in whole seconds; may be empty.
  std::string retry_after() const {
    return whole_retry_seconds(retry_after_ms_, retry_after_, std::chrono::system_clock::now());
  }

private:
  using error_code = boost::beast::error_code;
  using string_view = boost::beast::string_view;

  void on_request_impl(boost::beast::http::verb, string_view, string_view, int,
                       error_code&) override {}
  void on_response_impl(int code, string_view, int, error_code&) override {
    status_ = code;
  }
  void on_field_impl(boost::beast::http::field name, string_view, string_view value,
                     error_code&) override;
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(string_view body, error_code&) override {
    sink_({body.data(), body.size()});
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view body, error_code& ec) override {
    return on_body_impl(body, ec);
  }
  void on_finish_impl(error_code&) override {}

  on_piece sink_;
  int status_ = 0;
  std::string content_type_;
  std::string retry_after_;
  std::string retry_after_ms_;
};

} // namespace lang_agent::http
