#include "actors/request_timing.hpp"

#include <array>
#include <charconv>

namespace lang_agent {

namespace {

using time_point = request_timing::time_point;

/// Microseconds; none before a station that was not passed.
std::int64_t between(time_point a, time_point b) {
  if (a == time_point{} || b <= a)
    return 0;
  return std::chrono::duration_cast<std::chrono::microseconds>(b - a).count();
}

/// Milliseconds with three digits behind the point. Each request has a dozen of them.
void append_ms(std::string& out, std::int64_t us) {
  std::array<char, 24> digits{};
  auto* const end = std::to_chars(digits.data(), digits.data() + 20, us / 1000).ptr;
  const auto rest = us % 1000;
  end[0] = '.';
  end[1] = static_cast<char>('0' + rest / 100);
  end[2] = static_cast<char>('0' + rest / 10 % 10);
  end[3] = static_cast<char>('0' + rest % 10);
  out.append(digits.data(), end + 4);
}

/// Calls `say(name, microseconds)` for each part but the last.
template <class Say>
void for_each_part(const request_timing& x, const turn_stations& at, Say say) {
  // Of a stream whose head is made with its first token, the answer is still under way.
  const auto answered =
      at.answered != time_point{} ? at.answered : x.first_token.value_or(at.answered);
  say("read", between(x.received, x.started));
  say("parse", between(x.started, x.decoded));
  say("admission", between(x.decoded, at.begun));
  say("queue", between(at.ordered, at.asked));
  say("upstream", between(at.asked, answered));
  say("store", between(at.begun, at.ordered) + between(at.answered, at.stored));
}

} // namespace

std::string request_timing::header() const {
  std::string out;
  if (!stations)
    return out;
  for_each_part(*this, *stations, [&](const char* name, std::int64_t us) {
    out.append(out.empty() ? "" : ", ").append(name).append(";dur=");
    append_ms(out, us);
  });
  return out;
}

std::string request_timing::log_fields(time_point ended) const {
  std::string out;
  if (!stations)
    return out;
  const auto say = [&](const char* name, std::int64_t us) {
    out.append(" ").append(name).append("_ms=");
    append_ms(out, us);
  };
  for_each_part(*this, *stations, say);
  say("write", between(stations->stored, ended));
  return out;
}

} // namespace lang_agent
