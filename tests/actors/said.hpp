/// Conversations as a client thinks of them, and what the rules make of them, word by word. What
/// merge and build_prompt are compared with.
#pragma once

#include "tests/test.hpp"

#include "actors/context.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace lang_agent::test {

/// A message as a client thinks of it.
struct said {
  char who; ///< user, assistant, tool, system, developer
  std::string text = {};
  std::vector<std::string> calls = {};
  std::string answers = {};

  bool operator==(const said&) const = default;
};

using talk = std::vector<said>;

inline talk operator+(talk a, const talk& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

inline talk first(const talk& x, std::size_t n) {
  return {x.begin(), x.begin() + static_cast<std::ptrdiff_t>(n)};
}

inline talk without_first(const talk& x, std::size_t n) {
  return {x.begin() + static_cast<std::ptrdiff_t>(n), x.end()};
}

inline bool has_answer(const talk& x) {
  return std::any_of(x.begin(), x.end(), [](const said& m) { return m.who == 'a'; });
}

inline bool ends_with(const talk& x, const talk& end) {
  return end.size() <= x.size() && std::equal(end.rbegin(), end.rend(), x.rbegin());
}

// -- spelling -------------------------------------------------------------------------------------

inline std::string content_json(const said& x, bool in_parts) {
  if (x.text.empty() && !x.calls.empty())
    return "null";
  const auto text = '"' + x.text + '"';
  return in_parts && !x.text.empty() ? R"([{"type":"text","text":)" + text + "}]" : text;
}

inline std::string json_of(const said& x, bool in_parts = false) {
  const std::map<char, std::string> roles{
      {'u', "user"}, {'a', "assistant"}, {'t', "tool"}, {'s', "system"}, {'d', "developer"}};
  auto out = R"({"role":")" + roles.at(x.who) + R"(","content":)" + content_json(x, in_parts);
  if (!x.answers.empty())
    out += R"(,"tool_call_id":")" + x.answers + '"';
  std::string calls;
  for (const auto& id : x.calls)
    calls += (calls.empty() ? "" : ",") + (R"({"id":")" + id)
             + R"(","type":"function","function":{"name":"f","arguments":"{}"}})";
  if (!calls.empty())
    out += R"(,"tool_calls":[)" + calls + ']';
  return out + '}';
}

inline message_ptr decoded(const said& x) {
  static std::map<std::string, message_ptr> known;
  auto& out = known[json_of(x)];
  if (!out)
    out = messages_of('[' + json_of(x) + ']').front();
  return out;
}

inline std::string text_of(const talk& x) {
  std::string out;
  for (const auto& m : x) {
    out += (out.empty() ? "" : " ") + std::string{m.who} + ':' + m.text + m.answers;
    for (const auto& id : m.calls)
      out += '(' + id + ')';
  }
  return out;
}

inline bool same(const message_list& found, const talk& expected) {
  return std::equal(found.begin(), found.end(), expected.begin(), expected.end(),
                    [](const message_ptr& a, const said& b) { return a->id == decoded(b)->id; });
}

// -- the rules, word by word ----------------------------------------------------------------------

struct expected_thread {
  talk messages;
  std::size_t fresh; ///< how many of them are new
};

/// The rule of actors/merge.hpp. Where a common beginning counts, the thread becomes the request.
inline expected_thread merged(const talk& thread, const talk& request) {
  std::size_t common = 0;
  while (common < std::min(thread.size(), request.size()) && thread[common] == request[common])
    ++common;
  if (has_answer(first(request, common)))
    return {request, request.size() - common};
  for (auto n = std::min(thread.size(), request.size()); n > 0; --n)
    if (ends_with(thread, first(request, n)) && has_answer(first(request, n)))
      return {thread + without_first(request, n), request.size() - n};
  return {thread + request, request.size()};
}

/// The call at `i` that the tool message at `t` answers, if it is the first one to do so.
inline bool answers_call(const talk& x, std::size_t t) {
  auto i = t;
  while (i > 0 && x[i].who == 't')
    --i;
  const auto& calls = x[i].calls;
  if (std::find(calls.begin(), calls.end(), x[t].answers) == calls.end())
    return false;
  return std::none_of(x.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                      x.begin() + static_cast<std::ptrdiff_t>(t),
                      [&](const said& m) { return m.answers == x[t].answers; });
}

inline bool is_answered(const talk& x, std::size_t i, const std::string& call) {
  for (auto t = i + 1; t < x.size() && x[t].who == 't'; ++t)
    if (x[t].answers == call)
      return true;
  return false;
}

/// What of a conversation an upstream accepts.
inline talk healed(const talk& x) {
  talk out;
  for (std::size_t i = 0; i < x.size(); ++i) {
    auto m = x[i];
    std::erase_if(m.calls, [&](const std::string& id) { return !is_answered(x, i, id); });
    const bool is_empty = m.who == 'a' && m.text.empty() && m.calls.empty();
    if (m.who == 't' ? answers_call(x, i) : !is_empty)
      out.push_back(m);
  }
  return out;
}

inline std::string stray_answer(const talk& x, std::size_t fresh) {
  for (auto i = x.size() - fresh; i < x.size(); ++i)
    if (x[i].who == 't' && !answers_call(x, i))
      return x[i].answers;
  return {};
}

/// Where the newest whole turns that fit begin; never after the last turn's begin.
inline std::size_t first_in_prompt(const talk& thread, const message_list& instructions,
                                   const message_list& messages, const context_limits& limits) {
  std::size_t last_turn = 0;
  for (std::size_t i = 0; i < thread.size(); ++i) {
    if (i > 0 && (thread[i].who != 'u' || thread[i - 1].who == 'u'))
      continue;
    last_turn = i;
    const auto count = instructions.size() + messages.size() - i;
    std::size_t tokens = 0;
    for (const auto& x : instructions)
      tokens += x->tokens;
    for (auto at = i; at < messages.size(); ++at)
      tokens += messages[at]->tokens;
    if ((limits.max_messages == 0 || count <= limits.max_messages)
        && (limits.max_tokens == 0 || tokens <= limits.max_tokens))
      return i;
  }
  return last_turn;
}

} // namespace lang_agent::test
