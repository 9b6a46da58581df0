/// One structured line per request.
#pragma once

#include "actors/request_timing.hpp"
#include "http/request.hpp"
#include "messages/chat.hpp"
#include "messages/error.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace lang_agent {

struct request_record {
  http::request_head head;
  int status = 0; ///< 499: the client went away
  std::string error = {};
  std::string tenant = {};
  std::string key = {}; ///< the id of the API key
  std::string thread = {};
  std::string model = {};
  bool stream = false;
  bool replayed = false; ///< the answer is that of an earlier attempt
  request_timing timing = {};
  token_usage usage = {};
  origin_ptr origin = {}; ///< of an answer
};

/// The code that the client is told, for `request_record::error`.
std::string code_of(const failure& why);

/// Faults of ours and of upstreams at error and warn, all others at info.
void log_request(const request_record& x);

/// The text of messages; only called when `log.content` is on.
void log_content(std::string_view request_id, std::string_view what, std::string_view text);

} // namespace lang_agent
