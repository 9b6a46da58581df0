/// Which of an upstream's time limits holds at each moment of an exchange. Knows no sockets.
/// Private to the upstream side.
#pragma once

#include "http/watchlist.hpp"
#include "messages/error.hpp"

#include <chrono>

namespace lang_agent::http {

class exchange_clock {
public:
  using time_point = clock::time_point;

  struct limits {
    std::chrono::milliseconds begin; ///< from the request sent to the answer's beginning
    std::chrono::milliseconds idle;  ///< between pieces of the answer
    std::chrono::milliseconds tail;  ///< from the answer's last piece to the end of its bytes
    time_point ends;                 ///< of everything
  };

  explicit exchange_clock(limits x) : limits_(x) {}

  /// The request goes out. An upstream that takes nothing of it for as long as an answer may take
  /// to begin is given up, too.
  void sending(time_point now) {
    if (phase_ == phase::begin)
      since_ = now;
  }

  /// A part of the answer is there.
  void progress(time_point now) {
    step(phase::rest, now);
  }

  /// The answer is complete, but not the bytes around it.
  void complete(time_point now) {
    if (phase_ != phase::tail)
      step(phase::tail, now);
  }

  /// The client takes nothing, which is not the upstream's fault.
  void pause() {
    paused_ = true;
  }

  /// The upstream is read again: its time begins anew.
  void resume(time_point now) {
    if (paused_)
      since_ = now;
    paused_ = false;
  }

  time_point deadline() const;

  /// What it means that the deadline has passed.
  error_kind meaning(time_point now) const;

private:
  enum class phase { begin, rest, tail };

  void step(phase x, time_point now) {
    phase_ = x;
    since_ = now;
  }

  limits limits_;
  phase phase_ = phase::begin;
  time_point since_ = {};
  bool paused_ = false;
};

} // namespace lang_agent::http
