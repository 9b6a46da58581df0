/// Where a target is, as far as connections need to know.
#pragma once

#include "messages/base_url.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <chrono>

namespace lang_agent::load {

struct place {
  boost::asio::ip::tcp::endpoint endpoint = {};
  bool is_here = false; ///< on this machine
};

/// The first address of the target's name that takes a connection. Throws std::runtime_error that
/// says what to do when there is none.
place find_place(const base_url& where, std::chrono::milliseconds patience);

} // namespace lang_agent::load
