/// Which requests were tried and not answered yet: a client that says the same again ("continue")
/// and has to retry that must not get the answer to the first time it said so. Used by one
/// conversation only.
#pragma once

#include "messages/turn.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace lang_agent {

class open_requests {
public:
  /// A request without the mark of a retry is a new one, whatever it says.
  void arrived(const turn& x) {
    if (x.is_retry || !x.idempotency_key.empty())
      return;
    committed(x);
    digests_.push_back(x.request);
    if (digests_.size() > max_digests)
      digests_.erase(digests_.begin());
  }

  /// Any attempt of it was stored.
  void committed(const turn& x) {
    std::erase(digests_, x.request);
  }

  /// `retry` is not waiting or running: its first attempt is known to have failed.
  bool has_failed(const turn& retry) const {
    return retry.idempotency_key.empty()
           && std::find(digests_.begin(), digests_.end(), retry.request) != digests_.end();
  }

private:
  static constexpr std::size_t max_digests = 64;

  std::vector<digest> digests_; ///< the newest at the end
};

} // namespace lang_agent
