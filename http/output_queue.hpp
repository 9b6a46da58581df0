/// Bytes on their way to a socket, in pieces. Private to the connection.
#pragma once

#include <boost/asio/buffer.hpp>

#include <array>
#include <cstddef>
#include <deque>
#include <span>
#include <string>

namespace lang_agent::http {

/// Not thread-safe.
class output_queue {
public:
  /// `payload`: bytes of the piece that its sender counts, without head and framing.
  void push(std::string bytes, std::size_t payload) {
    pieces_.push_back({std::move(bytes), payload});
  }

  bool empty() const {
    return pieces_.empty();
  }

  /// The next bytes to write, gathered. Valid until the next call of `gather` or `written`: a write
  /// that has to wait for its socket looks at them again.
  std::span<const boost::asio::const_buffer> gather() {
    std::size_t n = 0;
    for (const auto& x : pieces_) {
      if (n == gathered_.size())
        break;
      gathered_[n] = boost::asio::buffer(x.bytes) + (n == 0 ? offset_ : 0);
      ++n;
    }
    return {gathered_.data(), n};
  }

  /// So many bytes are written. Returns the payload of the pieces that are complete with it.
  std::size_t written(std::size_t n) {
    std::size_t payload = 0;
    for (offset_ += n; !pieces_.empty() && offset_ >= pieces_.front().bytes.size();) {
      offset_ -= pieces_.front().bytes.size();
      payload += pieces_.front().payload;
      pieces_.pop_front();
    }
    return payload;
  }

private:
  struct piece {
    std::string bytes;
    std::size_t payload;
  };

  std::deque<piece> pieces_;
  std::size_t offset_ = 0; ///< written bytes of the first piece
  std::array<boost::asio::const_buffer, 16> gathered_;
};

} // namespace lang_agent::http
