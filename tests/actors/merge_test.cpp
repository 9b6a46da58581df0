#define CAF_SUITE merge
#include "tests/test.hpp"

#include "actors/merge.hpp"

#include <random>

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

/// "u1 a1": one message per word, by its first letter: user, assistant.
message_list talk(const std::string& words) {
  message_list out;
  std::istringstream in{words};
  for (std::string word; in >> word;)
    out.push_back(message(word[0] == 'a' ? "assistant" : "user", word));
  return out;
}

struct row {
  const char* what;
  const char* history;
  const char* request;
  merge_result expected;
};

const row table[] = {
    {"a first request is all new", "", "u1", {0, 0}},
    {"a client that sends only what is new", "u1 a1", "u2", {2, 0}},
    {"the same words again are a new message", "u1 a1", "u1", {2, 0}},
    {"a client that resends everything", "u1 a1", "u1 a1 u2", {2, 2}},
    {"... over several turns", "u1 a1 u2 a2", "u1 a1 u2 a2 u3", {4, 4}},
    {"a client that edits its last message", "u1 a1 u2 a2", "u1 a1 u9", {2, 2}},
    {"a client that edits an answer", "u1 a1 u2 a2", "u1 a1 u2 a9 u3", {3, 3}},
    {"a client that regenerates the last answer", "u1 a1 u2 a2", "u1 a1 u2", {3, 3}},
    {"a client that rewinds to an answer", "u1 a1 u2 a2", "u1 a1", {2, 2}},
    {"a client that edits its first message starts anew", "u1 a1", "u9 a1 u2", {2, 0}},
    {"a client that keeps a window of the last messages", "u1 a1 u2 a2", "u2 a2 u3", {4, 2}},
    {"... that begins with an answer", "u1 a1 u2 a2", "a2 u3", {4, 1}},
    {"the longest overlap counts", "u1 a1 u1 a1", "u1 a1 u1 a1 u2", {4, 4}},
    {"an overlap without an answer is none", "u1 a1 u2", "u2 u3", {3, 0}},
    {"an unrelated conversation is all new", "u1 a1", "u7 a7 u8", {2, 0}},
    {"a request longer than the history overlaps", "u2 a2", "u1 a1 u2 a2 u3", {2, 0}},
    {"an empty request keeps everything", "u1 a1", "", {2, 0}},
};

/// The rule of the design, word by word, in the slowest way.
merge_result reference(const message_list& history, const message_list& request) {
  const auto same = [](const message_ptr& a, const message_ptr& b) { return a->id == b->id; };
  const auto answers = [&](std::size_t n) {
    return std::count_if(request.begin(), request.begin() + static_cast<std::ptrdiff_t>(n),
                         [](const message_ptr& x) { return x->who == role::assistant; })
           > 0;
  };
  std::size_t common = 0;
  while (common < history.size() && common < request.size()
         && same(history[common], request[common]))
    ++common;
  if (answers(common))
    return {common, common};
  for (auto n = std::min(history.size(), request.size()); n > 0; --n)
    if (std::equal(request.begin(), request.begin() + static_cast<std::ptrdiff_t>(n),
                   history.end() - static_cast<std::ptrdiff_t>(n), same)
        && answers(n))
      return {history.size(), n};
  return {history.size(), 0};
}

} // namespace

CAF_TEST(each kind of client is understood) {
  for (const auto& x : table) {
    CAF_MESSAGE(x.what);
    const auto result = merge(talk(x.history), talk(x.request));
    CAF_CHECK_EQUAL(result.keep, x.expected.keep);
    CAF_CHECK_EQUAL(result.known, x.expected.known);
  }
}

CAF_TEST(spelling does not matter) {
  const auto history = messages_of(R"([{"role":"user","content":"hi"},
                                       {"role":"assistant","content":"hello","refusal":null}])");
  const auto request = messages_of(
      R"([{"content":[{"type":"text","text":"h"},{"type":"text","text":"i"}],"role":"user"},
                      {"role":"assistant","content":"hello","tool_calls":null,"annotations":[]},
                      {"role":"user","content":"more"}])");
  CAF_CHECK(merge(history, request) == (merge_result{2, 2}));
}

CAF_TEST(random conversations merge as the rule says) {
  std::mt19937 random{7};
  const message_list words = talk("u1 a1 u2 a2");
  const auto any = [&](std::size_t most) {
    message_list out;
    for (auto n = random() % (most + 1); n > 0; --n)
      out.push_back(words[random() % words.size()]);
    return out;
  };
  for (int round = 0; round < 20'000; ++round) {
    const auto history = any(8);
    auto request = any(8);
    if (round % 2) { // half of them resend an end or a beginning of the history
      const auto from = history.empty() ? 0 : random() % history.size();
      request.insert(request.begin(), history.begin() + static_cast<std::ptrdiff_t>(from),
                     history.end());
    }
    const auto result = merge(history, request);
    const auto expected = reference(history, request);
    if (result != expected)
      CAF_FAIL("round " << round << ": history " << texts_of(history) << " request "
                        << texts_of(request));
  }
}
