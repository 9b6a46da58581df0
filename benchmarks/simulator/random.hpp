/// Small deterministic randomness: the same on every platform, with a state of one number.
#pragma once

#include <cstdint>

namespace lang_agent::simulator {

/// Scatters all bits of a number (SplitMix64's finalizer).
constexpr std::uint64_t scatter(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

/// One number out of three, each of which changes all of it.
constexpr std::uint64_t scatter(std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  return scatter(scatter(scatter(a) ^ b) ^ c);
}

/// From 0 up to, but not including, 1.
constexpr double fraction(std::uint64_t x) {
  return static_cast<double>(x >> 11) * 0x1.0p-53;
}

class random_source {
public:
  explicit random_source(std::uint64_t seed) : state_(seed) {}

  double next() {
    return fraction(scatter(state_++));
  }

private:
  std::uint64_t state_;
};

} // namespace lang_agent::simulator
