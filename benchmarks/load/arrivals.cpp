#include "benchmarks/load/arrivals.hpp"

#include <cmath>

namespace lang_agent::load {

arrivals::arrivals(arrival_kind kind, double rate, double ramp, std::uint64_t seed)
    : kind_(kind), rate_(rate), ramp_(ramp), random_(seed) {}

double arrivals::next() {
  if (kind_ == arrival_kind::poisson)
    expected_ -= std::log(1 - random_.next());
  else if (!first_)
    expected_ += 1;
  first_ = false;
  // Until t in the ramp rate * t^2 / (2 * ramp) are expected, rate * ramp / 2 at its end.
  const auto in_ramp = rate_ * ramp_ / 2;
  if (expected_ < in_ramp)
    return std::sqrt(2 * ramp_ * expected_ / rate_);
  return ramp_ + (expected_ - in_ramp) / rate_;
}

} // namespace lang_agent::load
