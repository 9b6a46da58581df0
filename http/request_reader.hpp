/// Bytes to requests: what has come and is not parsed yet, and the parser of the request that is
/// being read. Knows no sockets. Private to the connection.
#pragma once

#include "http/request_parser.hpp"

#include <boost/beast/core/flat_buffer.hpp>

#include <cstddef>
#include <optional>
#include <string>

namespace lang_agent::http {

class request_reader {
public:
  request_reader(std::size_t max_header_bytes, std::size_t max_body_bytes)
      : max_header_bytes_(max_header_bytes), max_body_bytes_(max_body_bytes) {}

  /// What has come, so far, of what is wanted.
  enum class outcome { incomplete, complete, malformed };

  void append(const char* data, std::size_t n);

  /// Bytes that are not parsed yet.
  std::size_t buffered() const {
    return input_.size();
  }

  void drop_buffered() {
    input_.consume(input_.size());
  }

  /// Line ends between requests mean nothing (RFC 9112, 2.2). False: there is nothing else.
  bool skip_empty_lines();

  /// Begins with a request; ends with it, whether it was read as a whole or not.
  void begin();
  void end();

  outcome read_head();

  /// The whole rest of the body.
  outcome read_body();

  /// Some of a body that is streamed: up to a full piece.
  outcome read_piece();

  /// Since the last call.
  std::string take_body() {
    return parser_->take_body();
  }

  /// From now on the body comes in pieces of this size at most.
  void stream_body(std::size_t max_piece) {
    parser_->stream_body(max_piece);
  }

  /// From now on the body is only read to get past it.
  void discard_body() {
    parser_->discard_body();
  }

  /// Nothing is left to read of a request.
  bool is_done() const {
    return !parser_ || parser_->is_done();
  }

  /// Whether the rest of the body is known to have so many bytes at most.
  bool rest_is_within(std::uint64_t bytes) const;

  /// Of the request being read.
  request_parser& parser() {
    return *parser_;
  }

  /// Why it is malformed.
  failure problem() const;

private:
  template <class Condition>
  outcome advance(Condition reached);

  const std::size_t max_header_bytes_;
  const std::size_t max_body_bytes_;
  boost::beast::flat_buffer input_;
  std::optional<request_parser> parser_;
  boost::beast::error_code error_;
};

} // namespace lang_agent::http
