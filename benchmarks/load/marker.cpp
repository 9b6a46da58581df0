#include "benchmarks/load/marker.hpp"

#include <random>

namespace lang_agent::load {

namespace {

constexpr char edge = '~';
constexpr std::uint8_t most_digits = 18;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

} // namespace

std::string to_text(const marker& x) {
  return edge + std::string{x.run} + '/' + std::to_string(x.thread) + '/' + std::to_string(x.turn)
         + edge;
}

std::string new_run_name() {
  static constexpr std::string_view letters = "0123456789abcdefghijklmnopqrstuvwxyz";
  std::random_device source;
  std::string out;
  while (out.size() < run_name_size)
    out += letters[source() % letters.size()];
  return out;
}

void marker_finder::add(std::string_view text) {
  while (!text.empty()) {
    if (part_ == part::outside) { // most text is no marker
      const auto begin = text.find(edge);
      if (begin == std::string_view::npos)
        return;
      text.remove_prefix(begin);
    }
    add(text.front());
    text.remove_prefix(1);
  }
}

void marker_finder::add(char c) {
  const bool goes_on = [&] {
    switch (part_) {
    case part::outside:
      return false;
    case part::run:
      if (position_ == run_name_size) {
        part_ = part::thread;
        position_ = 0;
        number_ = 0;
        return c == '/';
      }
      own_run_ = own_run_ && c == own_.run[position_];
      ++position_;
      return is_digit(c) || (c >= 'a' && c <= 'z');
    case part::thread:
      if (c != '/' || position_ == 0)
        return add_digit(c);
      thread_ = number_;
      part_ = part::turn;
      position_ = 0;
      number_ = 0;
      return true;
    case part::turn:
      if (c != edge || position_ == 0)
        return add_digit(c);
      complete();
      part_ = part::outside;
      return true;
    }
    return false;
  }();
  if (goes_on)
    return;
  part_ = c == edge ? part::run : part::outside;
  position_ = 0;
  own_run_ = true;
}

bool marker_finder::add_digit(char c) {
  if (!is_digit(c) || position_ == most_digits)
    return false;
  number_ = number_ * 10 + static_cast<std::uint64_t>(c - '0');
  ++position_;
  return true;
}

void marker_finder::complete() {
  if (!own_run_ || thread_ != own_.thread)
    foreign_ = true;
  else if (number_ == own_.turn)
    found_own_ = true;
}

} // namespace lang_agent::load
