#include "actors/history.hpp"

#include "actors/merge.hpp"
#include "store/history_window.hpp"

#include <algorithm>
#include <span>

namespace lang_agent {

namespace {

std::size_t bytes_of(const chat_message& x) {
  auto out = sizeof(chat_message) + 2 * sizeof(message_ptr) + x.json.capacity()
             + x.reasoning.capacity() + x.answers.capacity();
  for (const auto& call : x.calls)
    out += sizeof(call) + call.capacity();
  return out;
}

std::size_t bytes_of(std::span<const message_ptr> messages) {
  std::size_t out = 0;
  for (const auto& x : messages)
    out += bytes_of(*x);
  return out;
}

bool same(const message_list& a, const message_list& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const message_ptr& x, const message_ptr& y) { return x->id == y->id; });
}

} // namespace

history::history(thread_record record)
    : loaded_(std::move(record)),
      bytes_(bytes_of(loaded_.instructions) + bytes_of(loaded_.history)) {}

bool history::is_enough_for(const message_list& request) const {
  return loaded_.skipped == 0
         || std::none_of(request.begin(), request.end(),
                         [](const message_ptr& x) { return x->who == role::assistant; });
}

planned_turn history::plan(const message_list& instructions, const message_list& messages,
                           const context_limits& limits) const {
  const auto merged = merge(loaded_.history, messages);
  planned_turn out;
  out.keep = loaded_.skipped + merged.keep;
  out.fresh.assign(messages.begin() + static_cast<std::ptrdiff_t>(merged.known), messages.end());
  if (!instructions.empty() && !same(instructions, loaded_.instructions))
    out.instructions = instructions;
  out.shown = show(out, limits);
  return out;
}

prompt history::show(const planned_turn& turn, const context_limits& limits) const {
  auto out = build_prompt(turn.instructions ? *turn.instructions : loaded_.instructions,
                          {loaded_.history.data(), kept(turn)}, turn.fresh, limits);
  out.size.total += loaded_.skipped;
  return out;
}

turn_record history::record(const planned_turn& turn, const thread_key& key,
                            const message_ptr& answer) const {
  turn_record out;
  out.key = key;
  out.version = loaded_.version;
  out.instructions = turn.instructions;
  out.keep = turn.keep;
  out.messages = turn.fresh;
  out.messages.push_back(answer);
  return out;
}

void history::apply(const planned_turn& turn, const message_ptr& answer) {
  auto& messages = loaded_.history;
  const std::span<const message_ptr> dropped{
      messages.begin() + static_cast<std::ptrdiff_t>(kept(turn)), messages.end()};
  bytes_ += bytes_of(turn.fresh) + bytes_of(*answer) - bytes_of(dropped);
  messages.resize(kept(turn));
  messages.insert(messages.end(), turn.fresh.begin(), turn.fresh.end());
  messages.push_back(answer);
  if (turn.instructions) {
    bytes_ += bytes_of(*turn.instructions) - bytes_of(loaded_.instructions);
    loaded_.instructions = *turn.instructions;
  }
  ++loaded_.version;
}

void history::trim(const context_limits& limits) {
  auto& messages = loaded_.history;
  if (limits.unlimited())
    return;
  store::history_window window{limits};
  const auto enough = std::find_if(messages.rbegin(), messages.rend(), [&](const message_ptr& x) {
    return window.is_enough_before(*x);
  });
  const auto needed = window.kept(enough == messages.rend());
  // Half of it at least, so that many turns share the cost of moving the rest.
  if (messages.size() < 2 * needed + 16)
    return;
  const auto count = messages.size() - needed;
  bytes_ -= bytes_of({messages.data(), count});
  messages.erase(messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(count));
  loaded_.skipped += count;
}

} // namespace lang_agent
