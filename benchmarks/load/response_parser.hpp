/// HTTP/1 responses, incrementally and without memory of their own: the head's few facts and the
/// pieces of the body go to a sink.
#pragma once

#include "benchmarks/load/answer.hpp"

#include <boost/beast/core/error.hpp>
#include <boost/beast/http/basic_parser.hpp>

#include <cstdint>
#include <string_view>

namespace lang_agent::load {

/// Hears of one response.
class response_sink {
public:
  virtual void on_head(const response_head& head) = 0;
  virtual void on_body(std::string_view piece) = 0;

protected:
  ~response_sink() = default;
};

class response_parser : public boost::beast::http::basic_parser<false> {
public:
  explicit response_parser(response_sink& sink);

  /// 100 Continue and alike: the response is still to come.
  bool is_interim() const {
    return head_.status >= 100 && head_.status < 200;
  }

private:
  using error_code = boost::beast::error_code;
  using string_view = boost::beast::string_view;

  void on_request_impl(boost::beast::http::verb, string_view, string_view, int,
                       error_code&) override {}
  void on_response_impl(int status, string_view, int, error_code&) override {
    head_.status = status;
  }
  void on_field_impl(boost::beast::http::field name, string_view text, string_view value,
                     error_code&) override;
  void on_header_impl(error_code&) override;
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(string_view body, error_code&) override;
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view body, error_code& ec) override {
    return on_body_impl(body, ec);
  }
  void on_finish_impl(error_code&) override {}

  response_sink& sink_;
  response_head head_;
};

} // namespace lang_agent::load
