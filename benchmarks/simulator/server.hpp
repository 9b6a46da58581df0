/// The simulator's listener and its threads.
#pragma once

#include "benchmarks/simulator/settings.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace lang_agent::simulator {

struct server_options {
  settings simulated = {};
  std::size_t threads = 1;
  std::string tls_certificate = {};                 ///< file; empty: no TLS
  std::string tls_key = {};                         ///< file
  std::function<void(std::string_view)> print = {}; ///< gets each line of the log; may be empty
  std::function<void()> on_stop = {}; ///< called when a signal ends it, on a thread of its own
};

class server {
public:
  /// Binds at once; throws `std::exception` when it cannot.
  explicit server(const server_options& options);
  ~server();

  server(const server&) = delete;
  server& operator=(const server&) = delete;

  /// "http://127.0.0.1:8490"
  std::string url() const;

  /// Serves until SIGTERM or SIGINT.
  void run();

private:
  class impl;
  std::unique_ptr<impl> impl_;
};

} // namespace lang_agent::simulator
