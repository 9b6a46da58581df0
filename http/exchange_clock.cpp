#include "http/exchange_clock.hpp"

#include <algorithm>

namespace lang_agent::http {

exchange_clock::time_point exchange_clock::deadline() const {
  if (paused_)
    return limits_.ends;
  const auto limit = phase_ == phase::begin  ? limits_.begin
                     : phase_ == phase::rest ? limits_.idle
                                             : limits_.tail;
  return std::min(since_ + limit, limits_.ends);
}

error_kind exchange_clock::meaning(time_point now) const {
  if (now >= limits_.ends)
    return error_kind::upstream_total_timeout;
  return phase_ == phase::begin ? error_kind::upstream_first_token_timeout
                                : error_kind::upstream_idle_timeout;
}

} // namespace lang_agent::http
