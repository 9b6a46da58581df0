/// How an HTTP proxy is asked for a connection to an upstream, and what it answers. Knows no
/// sockets. Private to the upstream side. Source: RFC 9110, section 9.3.6, and RFC 7617.
#pragma once

#include "http/response_parser.hpp"
#include "messages/base_url.hpp"

#include <boost/beast/core/flat_buffer.hpp>

#include <optional>
#include <string>

namespace lang_agent::http {

/// The value of an authorization header for "user:password".
std::string basic_authorization(const std::string& credentials);

/// The request for a connection to the host of `target`.
std::string connect_request(const base_url& target, const proxy_address& proxy);

/// Reads the answer to it.
class connect_answer {
public:
  connect_answer();

  /// Takes what has come. Nothing: more has to come. Else what is wrong; empty if the connection
  /// stands.
  std::optional<std::string> feed(boost::beast::flat_buffer& input);

private:
  void start_parser();
  std::string verdict(const boost::beast::flat_buffer& rest) const;

  std::optional<response_parser> parser_;
};

} // namespace lang_agent::http
