/// The threads that sockets live on: one io_context each. What belongs to a socket runs on one
/// thread, so it needs neither lock nor strand.
#pragma once

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <utility>
#include <vector>

namespace lang_agent::http {

/// Of a socket, a timer: everything of it runs on the thread of its context.
using executor = boost::asio::io_context::executor_type;

/// Refers to contexts that outlive it; each is run by one thread. Thread-safe.
class io_threads {
public:
  io_threads(boost::asio::io_context& only) : contexts_{&only} {}
  /// Not empty.
  explicit io_threads(std::vector<boost::asio::io_context*> contexts)
      : contexts_(std::move(contexts)) {}

  std::size_t size() const {
    return contexts_.size();
  }

  boost::asio::io_context& operator[](std::size_t i) const {
    return *contexts_[i];
  }

  /// For what there is one of in a server.
  boost::asio::io_context& first() const {
    return *contexts_.front();
  }

  /// Of the running thread; where that is none of them, the first.
  boost::asio::io_context& here() const {
    for (auto* x : contexts_)
      if (x->get_executor().running_in_this_thread())
        return *x;
    return first();
  }

private:
  std::vector<boost::asio::io_context*> contexts_;
};

} // namespace lang_agent::http
