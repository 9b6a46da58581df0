/// What happened to one request: a line of the log.
#pragma once

#include "benchmarks/simulator/faults.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace lang_agent::simulator {

/// How an answer ended, as its client could see it.
enum class outcome : std::uint8_t {
  complete,      ///< all of it was sent, as a good provider would
  refused,       ///< an error status and nothing else
  client_closed, ///< the client closed the connection before the answer was complete
  cut,           ///< the connection was closed in its middle, or before it
  malformed,
  wrong_type,
  error_in_stream,
  no_done,
  empty,
  tls_failure,
};

std::string_view name_of(outcome x);

struct record {
  std::optional<std::uint64_t> n = {}; ///< nothing: about a connection
  std::uint64_t position = 0;          ///< among the numbers of requests
  std::uint64_t connection = 0;
  std::string path = {};
  std::string request_id = {}; ///< `x-request-id` of the request
  std::string key = {};
  std::string model = {};
  bool stream = false;
  std::shared_ptr<const fault_rule> fault = {};
  std::optional<int> status = {}; ///< nothing: no head was sent
  std::uint64_t deltas = 0;       ///< sent
  outcome result = outcome::complete;
  double at_ms = 0; ///< since the start of the process
  std::optional<double> first_byte_ms = {};
  double ms = 0;
};

/// One line, with its end. Of the key only the last four characters, of other texts the first 200.
std::string to_json(const record& x);

} // namespace lang_agent::simulator
