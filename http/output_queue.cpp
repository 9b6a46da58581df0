#include "http/output_queue.hpp"

#include <charconv>

namespace lang_agent::http {

namespace {

std::string chunk(const std::string& data) {
  std::array<char, 20> size{};
  const auto end = std::to_chars(size.data(), size.data() + size.size(), data.size(), 16).ptr;
  std::string out;
  out.reserve(data.size() + 24);
  out.append(size.data(), end);
  out += "\r\n";
  out += data;
  out += "\r\n";
  return out;
}

} // namespace

void output_queue::put_bytes(std::string bytes) {
  pieces_.push_back({std::move(bytes), 0});
}

void output_queue::put_head(response x, const request_head& to, framing body, bool keep_alive) {
  framing_ = body;
  head_only_ = to.method == "HEAD" || x.status == 204;
  put_bytes(render_head(x, to, body, keep_alive));
  put_piece(std::move(x.body));
}

void output_queue::put_piece(std::string piece) {
  const auto payload = piece.size();
  if (payload == 0)
    return;
  if (head_only_)
    piece.clear(); // nothing to send, yet its sender waits for it to be counted
  else if (framing_ == framing::chunked)
    piece = chunk(piece);
  pieces_.push_back({std::move(piece), payload});
}

void output_queue::put_end() {
  if (framing_ == framing::chunked && !head_only_)
    put_bytes("0\r\n\r\n");
}

std::span<const boost::asio::const_buffer> output_queue::gather() {
  std::size_t n = 0;
  for (const auto& x : pieces_) {
    if (n == gathered_.size())
      break;
    gathered_[n] = boost::asio::buffer(x.bytes) + (n == 0 ? offset_ : 0);
    ++n;
  }
  return {gathered_.data(), n};
}

std::size_t output_queue::written(std::size_t n) {
  std::size_t payload = 0;
  for (offset_ += n; !pieces_.empty() && offset_ >= pieces_.front().bytes.size();) {
    offset_ -= pieces_.front().bytes.size();
    payload += pieces_.front().payload;
    pieces_.pop_front();
  }
  return payload;
}

} // namespace lang_agent::http
