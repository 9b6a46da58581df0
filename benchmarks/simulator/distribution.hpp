/// How long or how many: a constant or a random amount, as a person writes it in a config.
#pragma once

#include "benchmarks/simulator/random.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lang_agent::simulator {

/// What the numbers of a distribution are.
enum class unit : std::uint8_t {
  milliseconds, ///< written with a unit: "500us", "20ms", "1.5s", "2m"; "0" is zero
  words         ///< plain numbers
};

/// "X", "uniform(X, Y)", "exponential(MEAN)", "normal(MEAN, DEVIATION)",
/// "lognormal(MEDIAN, SIGMA)". Never less than zero.
class distribution {
public:
  /// Always zero.
  distribution() = default;

  /// Nothing for what is none of the forms above, or out of range.
  static std::optional<distribution> parse(std::string_view text, unit of);

  double sample(random_source& random) const;

  bool is_zero() const {
    return shape_ == shape::constant && first_ == 0;
  }

  /// As it was written.
  const std::string& text() const {
    return text_;
  }

private:
  enum class shape : std::uint8_t { constant, uniform, exponential, normal, lognormal };

  shape shape_ = shape::constant;
  double first_ = 0;
  double second_ = 0;
  std::string text_ = "0";
};

} // namespace lang_agent::simulator
