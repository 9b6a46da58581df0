#include "benchmarks/load/run_result.hpp"

#include <algorithm>
#include <cstdio>

namespace lang_agent::load {

namespace {

std::string with_number(const char* format, double x) {
  char text[200];
  std::snprintf(text, sizeof text, format, x);
  return text;
}

} // namespace

double run_result::output_tokens_per_second() const {
  if (seconds <= 0)
    return 0;
  // A chunk may hold several tokens; usage tells how many in the mean.
  const auto tokens_per_chunk = streamed_chunks == 0 ? 1.0
                                                     : static_cast<double>(streamed_tokens)
                                                           / static_cast<double>(streamed_chunks);
  return (static_cast<double>(came.stream_chunks) * tokens_per_chunk
          + static_cast<double>(came.plain_tokens))
         / seconds;
}

std::vector<std::string> run_result::warnings() const {
  std::vector<std::string> out;
  const auto busy = seconds > 0 ? client_cpu_seconds / seconds : 0;
  constexpr double too_busy = 0.85;
  if (busy > too_busy)
    out.push_back(with_number("the generator was the bottleneck: it used %.0f %% of its processor;"
                              " ask for less load, or run several of it",
                              100 * busy));
  const auto late = lateness.quantile_ms(0.99);
  if (late > std::max(1.0, latency.e2e.quantile_ms(0.5) / 10))
    out.push_back(with_number("the generator was late: 1 %% of the requests by %.1f ms or more (the"
                              " figures \"from schedule\" count that)",
                              late));
  if (server_ended)
    out.push_back("a process of the server ended while it was measured");
  if (requests.unfinished() > 0)
    out.push_back(std::to_string(requests.unfinished())
                  + " requests had no end when the run ended: latencies lack them; a longer --drain"
                    " waits for them");
  return out;
}

} // namespace lang_agent::load
