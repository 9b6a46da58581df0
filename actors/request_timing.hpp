/// What a request spent its time on.
#pragma once

#include "messages/chat.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace lang_agent {

/// The stations of a request, filled in as it passes them. Its parts, one after the other:
///
/// read       from its head to the end of its body, and to its actor
/// parse      decoding, checks, permit
/// admission  to its conversation, and behind the turns before it
/// queue      for a place at an upstream, failed attempts included
/// upstream   the attempt that answered
/// store      loading the thread, storing the turn
/// write      to the hand-over of the answer's end
struct request_timing {
  using time_point = turn_stations::time_point;

  time_point received = {};                   ///< its head
  time_point started = {};                    ///< its actor runs
  time_point decoded = {};                    ///< it may become a turn
  std::optional<time_point> first_token = {}; ///< of a stream
  std::optional<turn_stations> stations = {}; ///< of its turn

  /// The value of `server-timing` (W3C Server Timing) when the head of the answer is made: all
  /// parts before it.
  std::string header() const;

  /// Of the log's line, each after a blank: "parse_ms=0.05". Empty: it was no turn.
  std::string log_fields(time_point ended) const;
};

} // namespace lang_agent
