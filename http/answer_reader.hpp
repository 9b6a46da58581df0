/// Reads one HTTP answer of an upstream: bytes in, deltas and the outcome out. Knows no sockets.
/// Private to the upstream side.
#pragma once

#include "http/answer_stream.hpp"
#include "http/redaction.hpp"
#include "http/response_parser.hpp"
#include "http/sse_parser.hpp"
#include "http/upstream_fault.hpp"
#include "messages/chat.hpp"
#include "messages/error.hpp"

#include <boost/beast/core/flat_buffer.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace lang_agent::http {

class answer_reader {
public:
  struct expectation {
    bool stream = false; ///< events were asked for
    std::uint32_t choices = 1;
    std::uint64_t prompt_tokens = 0; ///< estimated
    std::size_t max_bytes = 0;
  };

  using outcome = std::variant<answer, upstream_fault>;

  answer_reader(const expectation& expected, const redaction& secrets);

  answer_reader(const answer_reader&) = delete;
  answer_reader& operator=(const answer_reader&) = delete;

  /// Consumes what has come and appends its deltas. A fault ends the answer.
  std::optional<upstream_fault> feed(boost::beast::flat_buffer& input,
                                     std::vector<choice_delta>& out);

  /// The body is read to its end.
  bool is_done() const {
    return parser_->is_done();
  }

  /// [DONE] was there: nothing that follows matters.
  bool said_done() const {
    return answer_.done();
  }

  /// Only the end of the stream is missing.
  bool is_complete() const {
    return answer_.complete();
  }

  /// A byte of the answer itself is there, and not only of 100 Continue and alike.
  bool has_begun() const {
    return begun_;
  }

  /// HTTP 408 and the end: what a server says to a connection that was idle for too long. It has
  /// read no request. Source: RFC 9110, 15.5.9.
  bool gave_up_waiting() const {
    return parser_->is_header_done() && parser_->status() == 408 && !parser_->keep_alive();
  }

  /// Grows with each delta of a stream, and with each piece of another body.
  std::uint64_t progress() const {
    return progress_;
  }

  /// Whether the upstream keeps the connection open after the body.
  bool keeps_alive() const {
    return parser_->keep_alive();
  }

  /// The outcome, once the body is done, [DONE] was said or the stream is complete. Call once.
  outcome finish(std::vector<choice_delta>& out);

  /// The outcome when the connection has ended with `ec`. Call once.
  outcome finish_cut(const boost::system::error_code& ec, std::vector<choice_delta>& out);

private:
  void start_parser();
  void on_body(std::string_view piece);
  void on_event(std::string_view data);
  outcome finish_stream(std::vector<choice_delta>& out);
  outcome finish_whole(std::vector<choice_delta>& out);

  /// Whether the body is a stream of events that we asked for.
  bool is_stream() const {
    return expected_.stream && parser_->status() == 200 && parser_->is_event_stream();
  }

  expectation expected_;
  const redaction& secrets_;
  std::optional<response_parser> parser_;
  sse_parser events_;
  answer_stream answer_;
  std::string whole_; ///< a body that is no stream of events
  std::vector<choice_delta> deltas_;
  std::uint64_t progress_ = 0;
  bool begun_ = false;
  std::optional<failure> problem_;
};

} // namespace lang_agent::http
