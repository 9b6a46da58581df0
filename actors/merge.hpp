/// Which messages of a request are new to its thread? Clients differ: some send only what is new,
/// some resend everything, some edit or regenerate. Pure functions.
#pragma once

#include "messages/chat.hpp"

#include <cstddef>

namespace lang_agent {

struct merge_result {
  std::size_t keep;  ///< messages at the beginning of the history that stay
  std::size_t known; ///< messages at the beginning of the request that the history has

  bool operator==(const merge_result&) const = default;
};

/// Both lists without instructions. The rule:
/// 1. A common beginning that includes an assistant message: the client resends (or edits, or
///    regenerates) this conversation. That beginning stays; what follows it in the history goes.
/// 2. Else, an end of the history that equals a beginning of the request and includes an assistant
///    message: an overlap; the longest one is known.
/// 3. Else everything is new.
/// Linear in the lengths of both.
merge_result merge(const message_list& history, const message_list& request);

} // namespace lang_agent
