/// Answers on their way to a socket: framed, in pieces. Private to the connection.
#pragma once

#include "http/response.hpp"

#include <boost/asio/buffer.hpp>

#include <array>
#include <cstddef>
#include <list>
#include <span>
#include <string>

namespace lang_agent::http {

/// Not thread-safe.
class output_queue {
public:
  /// As they are.
  void put_bytes(std::string bytes);

  /// A response's head, and the first piece of its body. No body follows on HEAD and 204.
  void put_head(response x, const request_head& to, framing body, bool keep_alive);
  void put_piece(std::string piece);
  void put_end();

  bool empty() const {
    return pieces_.empty();
  }

  /// The next bytes to write, gathered. Valid until the next call of `gather` or `written`: a write
  /// that has to wait for its socket looks at them again.
  std::span<const boost::asio::const_buffer> gather();

  /// So many bytes are written. Returns the payload of the pieces that are complete with it: the
  /// bytes that their sender counts, without head and framing.
  std::size_t written(std::size_t n);

private:
  struct entry {
    std::string bytes;
    std::size_t payload;
  };

  framing framing_ = framing::length;
  bool head_only_ = false;
  std::list<entry> pieces_; ///< stay where they are: `gathered_` points into them
  std::size_t offset_ = 0;  ///< written bytes of the first piece
  std::array<boost::asio::const_buffer, 8> gathered_;
};

} // namespace lang_agent::http
