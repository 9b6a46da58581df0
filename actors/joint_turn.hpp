/// A turn and the retries of its request that came while it was waiting or running: they share its
/// answer and never become turns of their own. Used by one conversation only.
#pragma once

#include "actors/turn_failures.hpp"
#include "messages/protocol.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace lang_agent {

/// What a later request is to an earlier one of the same thread.
enum class relation {
  other,
  retry,    ///< the same once more
  conflict, ///< another one with the same idempotency key
};

inline relation relation_of(const turn& earlier, const turn& later) {
  const bool same_request = earlier.request == later.request;
  if (!later.idempotency_key.empty()) {
    if (earlier.idempotency_key != later.idempotency_key)
      return relation::other;
    return same_request ? relation::retry : relation::conflict;
  }
  return later.is_retry && same_request ? relation::retry : relation::other;
}

class joint_turn {
public:
  explicit joint_turn(turn_ptr first) : first_(std::move(first)) {}

  /// The turn that is asked for upstream, in the name of all.
  turn& first() const {
    return *first_;
  }

  /// Takes a retry of it in, and refuses another request with its key.
  relation join_or_refuse(turn_ptr& later) {
    const auto kind = relation_of(*first_, *later);
    if (kind == relation::retry)
      retries_.push_back(std::move(later));
    else if (kind == relation::conflict)
      later->fail(key_conflict());
    return kind;
  }

  bool has(turn_id id) const {
    return first_->id == id || find(id) != retries_.end();
  }

  /// The requester of `id` has left. True: nobody waits for the answer any more. While others wait,
  /// a running turn goes on in the name of its first requester, who still takes the deltas.
  bool leave(turn_id id) {
    if (first_->id == id) {
      deserted_ = true;
    } else if (const auto found = find(id); found != retries_.end()) {
      (*found)->fail(client_left());
      retries_.erase(found);
    }
    return deserted_ && retries_.empty();
  }

  /// Before it starts: who has left already does not count.
  void settle_first() {
    if (!deserted_ || retries_.empty())
      return;
    first_->fail(client_left());
    first_ = std::move(retries_.front());
    retries_.erase(retries_.begin());
    deserted_ = false;
  }

  void fail(const failure& why) {
    first_->fail(deserted_ ? client_left() : why);
    for (const auto& x : retries_)
      x->fail(why);
  }

  void commit(const turn_committed& x) {
    first_->commit(x);
    for (const auto& retry : retries_)
      retry->replay(x.json);
  }

  void replay(const std::shared_ptr<const std::string>& json) {
    first_->replay(json);
    for (const auto& x : retries_)
      x->replay(json);
  }

private:
  std::vector<turn_ptr>::const_iterator find(turn_id id) const {
    return std::find_if(retries_.begin(), retries_.end(),
                        [&](const turn_ptr& x) { return x->id == id; });
  }

  turn_ptr first_;
  std::vector<turn_ptr> retries_;
  bool deserted_ = false; ///< the first requester has left
};

} // namespace lang_agent
