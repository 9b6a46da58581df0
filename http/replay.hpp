/// Retries of requests: how one is known, and how a stored answer is given once more.
#pragma once

#include "messages/chat.hpp"

#include <string>
#include <string_view>

namespace lang_agent::http {

/// Two bodies with the same digest are the same request.
digest body_digest(std::string_view body);

/// A plain answer of ours as the stream that it would have been: all events, [DONE] included.
std::string stream_of(std::string_view plain, bool include_usage);

} // namespace lang_agent::http
