#include "actors/context.hpp"

#include "http/message_editing.hpp"

#include <string_view>
#include <unordered_set>

namespace lang_agent {

namespace {

/// The history and the new messages as one list, without a copy.
class conversation_view {
public:
  conversation_view(std::span<const message_ptr> history, const message_list& fresh)
      : history_(history), fresh_(fresh) {}

  std::size_t size() const {
    return history_.size() + fresh_.size();
  }

  const message_ptr& operator[](std::size_t i) const {
    return i < history_.size() ? history_[i] : fresh_[i - history_.size()];
  }

private:
  std::span<const message_ptr> history_;
  std::span<const message_ptr> fresh_;
};

/// Where the newest turns that fit begin.
std::size_t first_that_fits(const conversation_view& messages, std::size_t instructions,
                            std::size_t instruction_tokens, const context_limits& limits) {
  auto begin = messages.size();
  std::size_t tokens = instruction_tokens;
  for (auto i = messages.size(); i > 0; --i) {
    tokens += messages[i - 1]->tokens;
    const auto count = instructions + messages.size() - (i - 1);
    const bool fits = (limits.max_messages == 0 || count <= limits.max_messages)
                      && (limits.max_tokens == 0 || tokens <= limits.max_tokens);
    if (!fits && begin != messages.size())
      break;
    const bool starts_turn =
        messages[i - 1]->who == role::user && (i == 1 || messages[i - 2]->who != role::user);
    if (starts_turn || i == 1)
      begin = i - 1;
  }
  return begin;
}

/// Appends messages[begin...] without what would make an upstream refuse them.
class healer {
public:
  healer(const conversation_view& messages, std::size_t fresh_from, prompt& out)
      : messages_(messages), fresh_from_(fresh_from), out_(out) {}

  void run(std::size_t begin) {
    for (auto i = begin; i < messages_.size();) {
      const auto& message = messages_[i];
      if (message->who == role::tool) {
        drop_answer(i++);
      } else if (message->calls.empty()) {
        if (!message->empty)
          out_.messages.push_back(message);
        ++i;
      } else {
        i = take_calls(i);
      }
    }
  }

private:
  /// An assistant message with calls, and the answers that follow it.
  std::size_t take_calls(std::size_t at) {
    const auto& message = messages_[at];
    const std::unordered_set<std::string_view> calls{message->calls.begin(), message->calls.end()};
    auto end = at + 1;
    std::unordered_set<std::string> answered;
    message_list answers;
    for (; end < messages_.size() && messages_[end]->who == role::tool; ++end) {
      const auto& id = messages_[end]->answers;
      // The first answer to a call counts.
      if (calls.contains(id) && answered.insert(id).second)
        answers.push_back(messages_[end]);
      else
        drop_answer(end);
    }
    const bool all = answered.size() == calls.size();
    if (auto kept = all ? message : http::with_calls(*message, answered))
      out_.messages.push_back(std::move(kept));
    out_.messages.insert(out_.messages.end(), answers.begin(), answers.end());
    return end;
  }

  void drop_answer(std::size_t at) {
    if (at >= fresh_from_ && !out_.stray_answer)
      out_.stray_answer = messages_[at]->answers;
  }

  const conversation_view& messages_;
  std::size_t fresh_from_;
  prompt& out_;
};

} // namespace

prompt build_prompt(const message_list& instructions, std::span<const message_ptr> history,
                    const message_list& fresh, const context_limits& limits) {
  const conversation_view messages{history, fresh};
  std::size_t instruction_tokens = 0;
  for (const auto& x : instructions)
    instruction_tokens += x->tokens;
  const bool limited = limits.max_messages != 0 || limits.max_tokens != 0;
  const auto begin =
      limited ? first_that_fits(messages, instructions.size(), instruction_tokens, limits) : 0;

  prompt out;
  out.messages.reserve(instructions.size() + messages.size() - begin);
  out.messages = instructions;
  healer{messages, history.size(), out}.run(begin);
  out.size = {out.messages.size(), instructions.size() + messages.size()};
  return out;
}

} // namespace lang_agent
