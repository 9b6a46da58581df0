/// Memory to read into when a socket has something: one piece for each thread, so that sockets that
/// wait have none. Private to http/.
#pragma once

#include <boost/asio/buffer.hpp>

#include <algorithm>
#include <array>
#include <cstddef>

namespace lang_agent::http {

/// Up to `wanted` bytes, 64 KiB at most. Good until the running thread calls it again.
inline boost::asio::mutable_buffer read_scratch(std::size_t wanted) {
  static thread_local std::array<char, 64 * 1024> bytes;
  return boost::asio::buffer(bytes.data(), std::min(wanted, bytes.size()));
}

} // namespace lang_agent::http
