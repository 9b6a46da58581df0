/// What is to be done when: one timer for any number of appointments.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

namespace lang_agent::load {

namespace asio = boost::asio;
using clock = std::chrono::steady_clock;
using time_point = clock::time_point;

class agenda {
public:
  explicit agenda(asio::io_context& context) : timer_(context) {}

  /// Not to be called back; what is no longer wanted has to find that out by itself. Appointments
  /// of one time come in the order in which they were made.
  void at(time_point when, std::function<void()> what);

private:
  struct appointment {
    time_point when;
    std::uint64_t number;
    std::function<void()> what;

    bool operator<(const appointment& other) const { // the earliest is the greatest
      return when != other.when ? when > other.when : number > other.number;
    }
  };

  void arm();
  void run_due();

  asio::steady_timer timer_;
  std::vector<appointment> heap_;
  std::uint64_t next_number_ = 0;
  time_point armed_ = time_point::max();
};

} // namespace lang_agent::load
