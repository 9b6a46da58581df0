/// Waiting for what other threads do, on a thread that has nothing else to do.
#pragma once

#include <chrono>
#include <thread>

namespace lang_agent {

/// False: it has not come true within the limit.
template <class Condition>
bool wait_until(std::chrono::milliseconds limit, Condition done) {
  constexpr std::chrono::milliseconds pause{10};
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!done()) {
    if (std::chrono::steady_clock::now() >= end)
      return false;
    std::this_thread::sleep_for(pause);
  }
  return true;
}

} // namespace lang_agent
