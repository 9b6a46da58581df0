/// HTTP/1 request parsing on Boost.Beast's parser, keeping only the fields that we use. Private to
/// the connection. Source: RFC 9110 and RFC 9112.
#pragma once

#include "http/request.hpp"
#include "messages/error.hpp"

#include <boost/beast/core/error.hpp>
#include <boost/beast/http/basic_parser.hpp>

#include <limits>
#include <optional>
#include <string>
#include <utility>

namespace lang_agent::http {

class request_parser : public boost::beast::http::basic_parser<true> {
public:
  request_parser(std::size_t max_header_bytes, std::size_t max_body_bytes);

  /// Complete once `is_header_done()`.
  request_head& head() {
    return head_;
  }

  /// What has come of the body since the last call.
  std::string take_body() {
    return std::exchange(body_, {});
  }

  /// Take a body of any size, in pieces: a full one stops the parser until it is taken.
  void stream_body(std::size_t max_piece) {
    max_piece_ = max_piece;
  }

  bool has_piece() const {
    return !body_.empty();
  }

  bool piece_is_full() const {
    return body_.size() >= max_piece_;
  }

  /// Stop keeping the body: it is only read to get past it.
  void discard_body() {
    discard_ = true;
    body_ = {};
  }

  bool expects_continue() const {
    return expects_continue_;
  }

  /// Whether a body follows the head.
  bool has_body() const;

  /// What is wrong with a complete head, beyond what the parser itself refuses.
  std::optional<failure> check_head() const;

private:
  using error_code = boost::beast::error_code;
  using string_view = boost::beast::string_view;

  void on_request_impl(boost::beast::http::verb, string_view method, string_view target,
                       int version, error_code&) override;
  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_field_impl(boost::beast::http::field name, string_view name_string, string_view value,
                     error_code&) override;
  void on_other_field(string_view name, string_view value);
  void on_idempotency_key(string_view value);
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code&) override;
  std::size_t on_body_impl(string_view body, error_code&) override;
  void on_chunk_header_impl(std::uint64_t size, string_view, error_code&) override;
  std::size_t on_chunk_body_impl(std::uint64_t, string_view body, error_code&) override;
  void on_finish_impl(error_code&) override {}

  bool keeps_whole_body() const {
    return !discard_ && max_piece_ == unlimited;
  }

  static constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

  std::size_t max_body_bytes_;
  std::size_t max_piece_ = unlimited;
  request_head head_;
  std::string body_;
  bool discard_ = false;
  bool expects_continue_ = false;
  bool has_transfer_encoding_ = false;
  bool bad_encoding_ = false;
  bool twice_ = false;
  bool bad_target_ = false;
  bool bad_host_ = false;
  bool bad_key_ = false;
  bool two_keys_ = false;
  unsigned hosts_ = 0;
};

/// The failure that a parser error means to the client.
failure parse_failure(const boost::beast::error_code& ec, std::size_t max_header_bytes,
                      std::size_t max_body_bytes);

} // namespace lang_agent::http
