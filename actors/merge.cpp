#include "actors/merge.hpp"

#include <algorithm>
#include <vector>

namespace lang_agent {

namespace {

bool same(const message_ptr& a, const message_ptr& b) {
  return a->id == b->id;
}

bool has_assistant(const message_list& messages, std::size_t count) {
  return std::any_of(messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(count),
                     [](const message_ptr& x) { return x->who == role::assistant; });
}

std::size_t common_beginning(const message_list& a, const message_list& b) {
  const auto n = std::min(a.size(), b.size());
  std::size_t i = 0;
  while (i < n && same(a[i], b[i]))
    ++i;
  return i;
}

/// The longest end of `history` that is a beginning of `request` (Knuth, Morris, Pratt).
std::size_t longest_overlap(const message_list& history, const message_list& request) {
  std::vector<std::size_t> border(request.size(), 0);
  const auto extend = [&](std::size_t matched, const message_ptr& next) {
    while (matched > 0 && (matched == request.size() || !same(request[matched], next)))
      matched = border[matched - 1];
    return matched < request.size() && same(request[matched], next) ? matched + 1 : matched;
  };
  for (std::size_t i = 1; i < request.size(); ++i)
    border[i] = extend(border[i - 1], request[i]);
  std::size_t matched = 0;
  const auto relevant = std::min(history.size(), request.size());
  for (auto i = history.size() - relevant; i < history.size(); ++i)
    matched = extend(matched, history[i]);
  return matched;
}

} // namespace

merge_result merge(const message_list& history, const message_list& request) {
  const auto beginning = common_beginning(history, request);
  if (has_assistant(request, beginning))
    return {beginning, beginning};
  // A client that sends no answers back sends only what is new.
  if (!has_assistant(request, request.size()))
    return {history.size(), 0};
  const auto overlap = longest_overlap(history, request);
  return {history.size(), has_assistant(request, overlap) ? overlap : 0};
}

} // namespace lang_agent
