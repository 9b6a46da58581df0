#include "http/ids.hpp"

#include <random>
#include <string_view>

namespace lang_agent::http {

std::string random_id(std::size_t length) {
  static constexpr std::string_view alphabet =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz01";
  static thread_local std::mt19937_64 generator = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device()};
    return std::mt19937_64{seed};
  }();
  std::string out(length, '0');
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < length; ++i) {
    if (i % 10 == 0)
      bits = generator();
    out[i] = alphabet[bits & 63];
    bits >>= 6;
  }
  return out;
}

} // namespace lang_agent::http
