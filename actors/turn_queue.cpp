#include "actors/turn_queue.hpp"

#include "actors/turn_failures.hpp"

namespace lang_agent {

relation turn_queue::join(turn_ptr& x) {
  for (auto& earlier : turns_)
    if (const auto kind = earlier.join_or_refuse(x); kind != relation::other)
      return kind;
  return relation::other;
}

void turn_queue::leave(turn_id id) {
  const auto found =
      std::find_if(turns_.begin(), turns_.end(), [&](const joint_turn& x) { return x.has(id); });
  if (found != turns_.end() && found->leave(id)) {
    found->fail(client_left());
    turns_.erase(found);
  }
}

void turn_queue::fail_all(const failure& why) {
  for (auto& x : turns_)
    x.fail(why);
  turns_.clear();
}

void turn_queue::fail_until(std::chrono::steady_clock::time_point arrival, const failure& why) {
  while (!turns_.empty() && turns_.front().first().arrived <= arrival)
    take().fail(why);
}

} // namespace lang_agent
