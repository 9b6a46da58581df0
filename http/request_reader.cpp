#include "http/request_reader.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>

namespace lang_agent::http {

namespace asio = boost::asio;
namespace beast = boost::beast;

void request_reader::append(const char* data, std::size_t n) {
  input_.commit(asio::buffer_copy(input_.prepare(n), asio::buffer(data, n)));
}

bool request_reader::skip_empty_lines() {
  const auto* begin = static_cast<const char*>(input_.data().data());
  std::size_t n = 0;
  while (n < input_.size() && (begin[n] == '\r' || begin[n] == '\n'))
    ++n;
  input_.consume(n);
  return input_.size() > 0;
}

void request_reader::begin() {
  parser_.emplace(max_header_bytes_, max_body_bytes_);
  error_ = {};
}

void request_reader::end() {
  parser_.reset();
  if (input_.size() == 0)
    input_.shrink_to_fit();
}

/// Gives the parser what has come, until the condition holds.
template <class Condition>
request_reader::outcome request_reader::advance(Condition reached) {
  while (!reached()) {
    if (input_.size() == 0)
      return outcome::incomplete;
    const auto used = parser_->put(input_.data(), error_);
    input_.consume(used);
    if (error_ == beast::http::error::need_more) {
      if (used == 0)
        return outcome::incomplete;
    } else if (error_) {
      return outcome::malformed;
    }
  }
  return outcome::complete;
}

request_reader::outcome request_reader::read_head() {
  return advance([this] { return parser_->is_header_done(); });
}

request_reader::outcome request_reader::read_body() {
  return advance([this] { return is_done(); });
}

request_reader::outcome request_reader::read_piece() {
  const auto result = advance([this] { return parser_->is_done() || parser_->piece_is_full(); });
  if (result == outcome::incomplete && parser_->has_piece())
    return outcome::complete;
  return result;
}

bool request_reader::rest_is_within(std::uint64_t bytes) const {
  return parser_->is_header_done() && !parser_->chunked()
         && parser_->content_length_remaining().value_or(0) <= bytes;
}

failure request_reader::problem() const {
  return parse_failure(error_, max_header_bytes_, max_body_bytes_);
}

} // namespace lang_agent::http
