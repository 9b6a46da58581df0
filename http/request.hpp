/// One HTTP request as the rest of the program sees it.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace lang_agent::http {

struct request_head {
  std::string method;
  std::string path; ///< without query; slashes at the end and doubled ones are gone
  bool is_http_1_1 = true;
  std::string authorization;
  std::string content_type;
  std::string request_id;        ///< the client's sane `x-request-id`, else one of ours
  std::string client_request_id; ///< `x-client-request-id`, for the log; may be empty
  std::string requested_headers; ///< of a CORS preflight
  std::chrono::steady_clock::time_point received = {};
  std::size_t account = 0; ///< whose request it is; set and understood by the service only
};

struct request {
  request_head head;
  std::string body;
};

} // namespace lang_agent::http
