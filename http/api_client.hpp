/// A client of our own API, for the command line: plain calls that block, each on a connection of
/// its own. HTTP or HTTPS.
#pragma once

#include "messages/base_url.hpp"

#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace lang_agent::http {

/// The server could not be reached, or the connection broke off. The message says which.
class call_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

class api_client {
public:
  /// `url` without "/v1".
  api_client(base_url url, std::string key) : url_(std::move(url)), key_(std::move(key)) {}

  struct reply {
    int status = 0;
    std::string body = {};
  };

  /// Gives the next piece of a request's body; empty at its end.
  using source = std::function<std::string()>;
  /// Takes the next piece of a response's body.
  using sink = std::function<void(std::string_view)>;

  /// `path` with its query, percent-encoded. A source makes a chunked body. With a sink, the body
  /// of a 200 goes there instead of into the reply. Throws `call_error`, also for a body that is
  /// cut.
  reply call(std::string_view method, const std::string& path, const source& body = {},
             const sink& into = {}) const;

private:
  base_url url_;
  std::string key_;
};

} // namespace lang_agent::http
