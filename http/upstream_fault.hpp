/// What goes wrong between this server and an upstream, apart from what the upstream itself says.
/// Private to the upstream side.
#pragma once

#include "messages/error.hpp"

#include <string>

namespace lang_agent::http {

/// What the client hears, and what only the log does.
struct upstream_fault {
  failure why;
  std::string detail;
};

upstream_fault unreachable(std::string detail);
upstream_fault tls_failed(std::string detail);

/// The connection ended before an answer began.
upstream_fault no_answer(std::string detail);

/// The answer ended before its end.
upstream_fault broke_off(std::string detail);

/// One of the time limits has passed; `kind` says which.
upstream_fault too_late(error_kind kind);

} // namespace lang_agent::http
