/// Responses, the way they are handed to a connection, and their heads as bytes.
#pragma once

#include "http/request.hpp"
#include "messages/error.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace lang_agent::http {

struct response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body = {};
  std::string headers = {}; ///< further lines, each "name: value\r\n"
  bool closes = false;      ///< the connection ends with this answer; of an early one only
};

/// Appends one header line. Characters that could end the line are replaced.
void add_header(response& out, std::string_view name, std::string_view value);

/// The answer to a failure: OpenAI's error object, with `retry-after` where there is one.
response error_response(const failure& why);

/// How the end of a response's body is told.
enum class framing { length, chunked, until_close };

/// The response's head, with everything that all our responses carry.
std::string render_head(const response& x, const request_head& to, framing body, bool keep_alive);

} // namespace lang_agent::http
