/// Random clients talk to a thread: is it the conversation that they believe it to be?
#define CAF_SUITE merge_model
#include "tests/actors/said.hpp"

#include "actors/context.hpp"
#include "actors/merge.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

// -- clients --------------------------------------------------------------------------------------

enum class habit : std::uint8_t {
  incremental, ///< sends only what is new
  resend,      ///< everything, and what is new
  edit,        ///< everything up to a message of the user, and another one instead
  edit_answer, ///< everything with another answer, and what is new
  regenerate,  ///< everything without the last answer
  window,      ///< the last messages, and what is new
};

struct request {
  habit how;
  talk messages;
  talk believed; ///< the conversation with them, before the answer
};

struct dice {
  std::mt19937 random;

  std::size_t below(std::size_t n) {
    return random() % n;
  }

  bool one_in(std::size_t n) {
    return below(n) == 0;
  }
};

class client {
public:
  client(unsigned seed, bool repeats) : dice_{std::mt19937{seed}}, repeats_(repeats) {}

  request next() {
    const auto how = static_cast<habit>(dice_.below(6));
    const auto& b = belief_;
    const auto fresh = new_messages();
    switch (how) {
    case habit::incremental:
      return {how, fresh, b + fresh};
    case habit::edit:
      return full(how, first(b, position_of('u')) + talk{{'u', word()}});
    case habit::edit_answer:
      return full(how, edited(position_of('a')) + fresh);
    case habit::regenerate:
      return full(how, first(b, b.empty() ? 0 : b.size() - 1));
    case habit::window:
      return {how, without_first(b, dice_.below(b.size() + 1)) + fresh, b + fresh};
    default:
      return full(habit::resend, b + fresh);
    }
  }

  /// Whether the thread must be what the client believes, whatever the words are.
  bool is_understood(const request& x) const {
    if (x.messages.empty())
      return false;
    if (x.how == habit::incremental || belief_.empty())
      return true;
    if (x.how == habit::window)
      return !repeats_ && has_answer(x.messages);
    return has_answer(first(x.messages, common_with(x.messages)));
  }

  void on_answer(const request& x, const said& answer) {
    belief_ = x.believed + talk{answer};
  }

  said answer() {
    said out{'a', dice_.one_in(6) ? "" : word()};
    if (dice_.one_in(3))
      for (auto n = 1 + dice_.below(3); n > 0; --n)
        out.calls.push_back("call_" + std::to_string(repeats_ ? n : ++words_));
    return out;
  }

  talk instructions() {
    talk out;
    for (auto n = dice_.one_in(3) ? 1 + dice_.below(2) : 0; n > 0; --n)
      out.push_back({dice_.one_in(2) ? 's' : 'd', word()});
    return out;
  }

  /// As JSON, instructions anywhere among the messages, texts spelled in either way.
  std::string body(talk messages, const talk& instructions) {
    std::size_t from = 0;
    for (const auto& x : instructions) {
      from += dice_.below(messages.size() - from + 1);
      messages.insert(messages.begin() + static_cast<std::ptrdiff_t>(from++), x);
    }
    std::string out;
    for (const auto& x : messages)
      out += (out.empty() ? "" : ",") + json_of(x, dice_.one_in(4));
    return '[' + out + ']';
  }

  context_limits limits() {
    return {dice_.one_in(2) ? 0 : dice_.below(15), dice_.one_in(2) ? 0 : dice_.below(150)};
  }

private:
  static request full(habit how, const talk& messages) {
    return {how, messages, messages};
  }

  std::string word() {
    if (repeats_)
      return dice_.one_in(3) ? "no" : "ok";
    return "w" + std::to_string(++words_);
  }

  /// What a client says next: results of calls, or something else.
  talk new_messages() {
    talk out;
    if (!belief_.empty())
      for (const auto& id : belief_.back().calls)
        if (!dice_.one_in(5))
          out.push_back({'t', word(), {}, id});
    if (!out.empty() && dice_.one_in(20)) // a mistake
      out.push_back({'t', word(), {}, out.front().answers});
    if (out.empty() || dice_.one_in(5))
      out.push_back({'u', word()});
    if (dice_.one_in(5))
      out.push_back({'u', word()});
    if (dice_.one_in(30)) // another one
      out.push_back({'t', word(), {}, "call_unknown"});
    return out;
  }

  /// Some message of the belief; its end if there is none.
  std::size_t position_of(char who) {
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < belief_.size(); ++i)
      if (belief_[i].who == who)
        all.push_back(i);
    return all.empty() ? belief_.size() : all[dice_.below(all.size())];
  }

  talk edited(std::size_t at) {
    auto out = belief_;
    if (at < out.size())
      out[at].text = word();
    return out;
  }

  std::size_t common_with(const talk& messages) const {
    const auto [a, b] =
        std::mismatch(messages.begin(), messages.end(), belief_.begin(), belief_.end());
    return static_cast<std::size_t>(a - messages.begin());
  }

  dice dice_;
  bool repeats_;
  int words_ = 0;
  talk belief_;
};

// -- the thread, as a conversation keeps it -------------------------------------------------------

class world {
public:
  world(unsigned seed, bool repeats, bool only_understood)
      : seed_(seed), only_understood_(only_understood), client_(seed, repeats) {}

  void run() {
    for (turn_ = 0; turn_ < 15; ++turn_)
      turn();
  }

  static std::map<habit, int> turns;
  static int strays;

private:
  void turn() {
    const auto x = client_.next();
    const bool understood = client_.is_understood(x);
    if (x.messages.empty() || (only_understood_ && !understood))
      return;
    const auto expected =
        only_understood_ ? expected_thread{x.believed, 0} : merged(thread_, x.messages);
    const auto said_instructions = client_.instructions();
    auto decoded_request = split(messages_of(client_.body(x.messages, said_instructions)));

    const auto merged_here = merge(history_, decoded_request.messages);
    const message_list kept = part(history_, 0, merged_here.keep);
    const message_list fresh =
        part(decoded_request.messages, merged_here.known, decoded_request.messages.size());
    auto all = kept;
    all.insert(all.end(), fresh.begin(), fresh.end());
    if (!same(all, expected.messages))
      fail("thread", x, expected.messages, all);
    if (!only_understood_)
      CAF_CHECK_EQUAL(fresh.size(), expected.fresh);

    const auto instructions = said_instructions.empty() ? instructions_ : said_instructions;
    const auto& sent =
        said_instructions.empty() ? sent_instructions_ : decoded_request.instructions;
    if (!same(sent, instructions))
      fail("instructions", x, instructions, sent);
    if (!check_prompts(x, instructions, sent, kept, fresh, expected.messages))
      return; // a refused turn leaves no trace
    finish(x, expected.messages, all);
    instructions_ = instructions;
    sent_instructions_ = sent;
  }

  /// False: an answer to no call.
  bool check_prompts(const request& x, const talk& instructions, const message_list& sent,
                     const message_list& kept, const message_list& fresh, const talk& thread) {
    auto all = kept;
    all.insert(all.end(), fresh.begin(), fresh.end());
    for (const auto& limits : {context_limits{}, client_.limits()}) {
      const auto found = build_prompt(sent, kept, fresh, limits);
      const auto begin = first_in_prompt(thread, sent, all, limits);
      const auto expected = instructions + healed(without_first(thread, begin));
      if (!same(found.messages, expected))
        fail("prompt", x, expected, found.messages);
      CAF_CHECK_EQUAL(found.size.used, expected.size());
      CAF_CHECK_EQUAL(found.size.total, instructions.size() + thread.size());
    }
    const auto stray = stray_answer(thread, fresh.size());
    CAF_CHECK_EQUAL(build_prompt(sent, kept, fresh, {}).stray_answer.value_or(""), stray);
    strays += stray.empty() ? 0 : 1;
    return stray.empty();
  }

  void finish(const request& x, const talk& before_answer, const message_list& all) {
    const auto answer = client_.answer();
    // Whatever the rule made of a client's request, the thread ends with it.
    if (!ends_with(before_answer, x.messages))
      fail("end of the thread", x, x.messages, all);
    thread_ = before_answer + talk{answer};
    history_ = all;
    history_.push_back(decoded(answer));
    client_.on_answer(x, answer);
    ++turns[x.how];
  }

  struct request_parts {
    message_list instructions;
    message_list messages;
  };

  static request_parts split(const message_list& from) {
    request_parts out;
    for (const auto& x : from)
      (x->is_instruction() ? out.instructions : out.messages).push_back(x);
    return out;
  }

  static message_list part(const message_list& from, std::size_t begin, std::size_t end) {
    return {from.begin() + static_cast<std::ptrdiff_t>(begin),
            from.begin() + static_cast<std::ptrdiff_t>(end)};
  }

  void fail(const char* what, const request& x, const talk& expected, const message_list& found) {
    CAF_FAIL("seed " << seed_ << ", turn " << turn_ << ", habit " << static_cast<int>(x.how) << ", "
                     << what << ":\nthread   " << text_of(thread_) << "\nrequest  "
                     << text_of(x.messages) << "\nexpected " << text_of(expected) << "\nfound    "
                     << texts_of(found));
  }

  unsigned seed_;
  bool only_understood_;
  int turn_ = 0;
  client client_;
  talk thread_;          ///< what it should be
  message_list history_; ///< what it is
  talk instructions_;
  message_list sent_instructions_;
};

std::map<habit, int> world::turns;
int world::strays = 0;

void run_worlds(bool repeats, bool only_understood) {
  world::turns.clear();
  world::strays = 0;
  for (unsigned seed = 1; seed <= 400; ++seed)
    world{seed, repeats, only_understood}.run();
  for (const auto how : {habit::incremental, habit::resend, habit::edit, habit::edit_answer,
                         habit::regenerate, habit::window})
    if (how != habit::window || !repeats || !only_understood)
      CAF_CHECK_GREATER(world::turns[how], 50);
  CAF_CHECK_GREATER(world::strays, 10);
}

} // namespace

CAF_TEST(a thread is what its client believes) {
  run_worlds(false, true);
}

CAF_TEST(a thread is what its client believes even when words repeat) {
  run_worlds(true, true);
}

CAF_TEST(any client is understood as the rule says) {
  run_worlds(false, false);
}

CAF_TEST(any client is understood as the rule says even when words repeat) {
  run_worlds(true, false);
}
