#include "actors/key_ring.hpp"

#include <algorithm>

namespace lang_agent {

bool key_ring::is_free(std::size_t key, time_point now,
                       const std::vector<std::size_t>& tried) const {
  return !rests(key, now) && std::find(tried.begin(), tried.end(), key) == tried.end();
}

std::optional<std::size_t> key_ring::take(time_point now, const std::vector<std::size_t>& tried) {
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    const auto key = (next_ + i) % keys_.size();
    if (!is_free(key, now, tried))
      continue;
    next_ = key + 1;
    return key;
  }
  return std::nullopt;
}

bool key_ring::has_usable(time_point now, const std::vector<std::size_t>& tried) const {
  for (std::size_t key = 0; key < keys_.size(); ++key)
    if (is_free(key, now, tried))
      return true;
  return false;
}

void key_ring::accepted(std::size_t key, time_point now) {
  if (!rests(key, now)) // else the attempt began before it was refused
    keys_[key].last_rest = {};
}

void key_ring::refused(std::size_t key, time_point now) {
  auto& x = keys_[key];
  if (x.rests_until > now && x.last_rest.count() > 0)
    return; // of an attempt that was under way
  x.last_rest = x.last_rest.count() == 0
                    ? std::chrono::nanoseconds{first_rest}
                    : std::min<std::chrono::nanoseconds>(x.last_rest * 2, longest_rest);
  x.rests_until = std::max(x.rests_until, now + x.last_rest);
}

void key_ring::limited(std::size_t key, time_point until) {
  keys_[key].rests_until = std::max(keys_[key].rests_until, until);
}

key_ring::time_point key_ring::usable_at() const {
  return std::min_element(
             keys_.begin(), keys_.end(),
             [](const auto& a, const auto& b) { return a.rests_until < b.rests_until; })
      ->rests_until;
}

bool key_ring::all_refused(time_point now) const {
  return std::all_of(keys_.begin(), keys_.end(),
                     [&](const auto& x) { return x.rests_until > now && x.last_rest.count() > 0; });
}

std::size_t key_ring::resting(time_point now) const {
  return static_cast<std::size_t>(std::count_if(
      keys_.begin(), keys_.end(), [&](const auto& x) { return x.rests_until > now; }));
}

} // namespace lang_agent
