/// A thread that lets go of what its prompts do not need, beside one that keeps everything.
#define CAF_SUITE history_trim
#include "tests/actors/conversation_fixture.hpp"

#include "actors/history.hpp"
#include "http/json.hpp"

#include <random>

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

message_ptr call(const std::string& id) {
  return messages_of(R"([{"role":"assistant","content":null,"tool_calls":[{"id":")" + id
                     + R"(","type":"function","function":{"name":"f","arguments":"{}"}}]}])")
      .front();
}

message_ptr tool(const std::string& id) {
  return messages_of(R"([{"role":"tool","tool_call_id":")" + id + R"(","content":"4"}])").front();
}

/// A long conversation of a client that sends what is new, sometimes edits, and uses tools.
class comparison {
public:
  comparison(unsigned seed, const context_limits& limits) : random_(seed), limits_(limits) {}

  void turn() {
    const auto request = next_request();
    // As the conversation does: what is not enough is loaded anew, as a whole.
    if (!trimmed_.is_enough_for(request))
      trimmed_ = whole_;
    const auto instructions = one_in(5) ? message_list{message("system", text())} : message_list{};
    const auto expected = whole_.plan(instructions, request, limits_);
    const auto plan = trimmed_.plan(instructions, request, limits_);
    check_same(expected, plan);
    const auto reply = one_in(3) ? call(open_call_ = "c" + std::to_string(++calls_))
                                 : message("assistant", text());
    if (reply->calls.empty())
      open_call_.clear();
    const auto stored = whole_.record(expected, key_, reply);
    const auto same = trimmed_.record(plan, key_, reply);
    CAF_REQUIRE_EQUAL(same.version, stored.version);
    CAF_REQUIRE_EQUAL(same.keep, stored.keep);
    CAF_REQUIRE_EQUAL(texts_of(same.messages), texts_of(stored.messages));
    whole_.apply(expected, reply);
    trimmed_.apply(plan, reply);
    trimmed_.trim(limits_);
    CAF_REQUIRE_LESS_OR_EQUAL(trimmed_.bytes(), whole_.bytes());
    all_.resize(expected.keep);
    all_.insert(all_.end(), stored.messages.begin(), stored.messages.end());
  }

  /// Whether less is in memory than there is.
  bool is_trimmed() const {
    return trimmed_.bytes() < whole_.bytes();
  }

  std::size_t bytes() const {
    return trimmed_.bytes();
  }

private:
  bool one_in(std::size_t n) {
    return random_() % n == 0;
  }

  std::string text() {
    return std::to_string(++texts_) + std::string(random_() % 60, 'x');
  }

  message_list next_request() {
    message_list out;
    if (!open_call_.empty() && !one_in(6)) {
      out.push_back(tool(open_call_));
      return out;
    }
    if (one_in(25)) // an edit of what was said, sent with all before it
      out.assign(all_.begin(),
                 all_.begin() + static_cast<std::ptrdiff_t>(random_() % (all_.size() + 1)));
    for (auto n = 1 + random_() % 2; n > 0; --n)
      out.push_back(message("user", text()));
    return out;
  }

  void check_same(const planned_turn& expected, const planned_turn& found) const {
    CAF_REQUIRE_EQUAL(found.keep, expected.keep);
    CAF_REQUIRE_EQUAL(texts_of(found.fresh), texts_of(expected.fresh));
    CAF_REQUIRE_EQUAL(found.instructions.has_value(), expected.instructions.has_value());
    check_same(expected.shown, found.shown);
    // The second attempt, with less.
    const context_limits half{
        0, static_cast<std::size_t>(http::estimate_tokens(expected.shown.messages) / 2)};
    check_same(whole_.show(expected, half), trimmed_.show(found, half));
  }

  static void check_same(const prompt& expected, const prompt& found) {
    CAF_REQUIRE_EQUAL(texts_of(found.messages), texts_of(expected.messages));
    CAF_REQUIRE_EQUAL(found.size.used, expected.size.used);
    CAF_REQUIRE_EQUAL(found.size.total, expected.size.total);
    CAF_REQUIRE(found.stray_answer == expected.stray_answer);
  }

  const thread_key key_{"tenant", "thread"};
  std::mt19937 random_;
  context_limits limits_;
  history whole_;
  history trimmed_;
  message_list all_; ///< live messages
  std::string open_call_;
  int calls_ = 0;
  int texts_ = 0;
};

/// So many messages, each a turn's question or its answer.
message_list long_history(int turns) {
  message_list out;
  for (int i = 0; i < turns; ++i) {
    out.push_back(message("user", "question " + std::to_string(i)));
    out.push_back(message("assistant", "answer " + std::to_string(i)));
  }
  return out;
}

} // namespace

CAF_TEST(prompts are the same as without trimming) {
  std::size_t trimmed = 0;
  std::mt19937 random{1};
  for (unsigned seed = 1; seed <= 60; ++seed) {
    const context_limits limits{seed % 3 == 0 ? 0 : 1 + random() % 12,
                                seed % 3 == 1 ? 0 : 1 + random() % 150};
    comparison x{seed, limits};
    for (int i = 0; i < 120; ++i) {
      x.turn();
      trimmed += x.is_trimmed() ? 1 : 0;
    }
  }
  CAF_CHECK_GREATER(trimmed, 1000u);
}

CAF_TEST(without limits nothing is let go) {
  comparison x{7, {}};
  for (int i = 0; i < 100; ++i) {
    x.turn();
    CAF_REQUIRE(!x.is_trimmed());
  }
}

CAF_TEST(a little more than what is needed stays) {
  history x{{1, {}, long_history(10), 0}};
  const auto before = x.bytes();
  x.trim({4, 0}); // 20 messages: not worth it
  CAF_CHECK_EQUAL(x.bytes(), before);
  history longer{{1, {}, long_history(12), 0}};
  longer.trim({4, 0});
  CAF_CHECK_EQUAL(longer.bytes(), (history{{1, {}, long_history(2), 0}}.bytes()) + 4u);
  const auto plan = longer.plan({}, {message("user", "next")}, {4, 0});
  CAF_CHECK_EQUAL(plan.keep, 24u);
  CAF_CHECK_EQUAL(plan.shown.size.total, 25u);
}

CAF_TEST_FIXTURE_SCOPE(history_trim_tests, conversation_fixture)

CAF_TEST(the memory of a long conversation with limits has a bound) {
  options.limits = {6, 0};
  start_loaded();
  const std::string text(1000, 'x');
  for (std::size_t i = 0; i < 100; ++i) {
    const auto id = say("q" + text);
    CAF_REQUIRE_EQUAL(order().context.total, 2 * i + 1);
    CAF_REQUIRE_LESS_OR_EQUAL(order().prompt.size(), 6u);
    complete(id, text);
    CAF_REQUIRE_EQUAL(record().keep, 2 * i);
    CAF_REQUIRE_EQUAL(record().version, i + 1);
    stored(id);
    CAF_REQUIRE_LESS(memory->load(), 60'000u);
  }
  CAF_CHECK_EQUAL(journal->count<load_thread>(), 1u);
  // What was let go is loaded again for a client that resends it.
  ask(R"([{"role":"user","content":"a"},{"role":"assistant","content":"b"},
          {"role":"user","content":"c"}])");
  CAF_CHECK_EQUAL(journal->count<load_thread>(), 2u);
  CAF_CHECK(journal->last<load_thread>().limits.unlimited());
}

CAF_TEST(a thread that was loaded whole stays whole) {
  options.limits = {3, 0};
  start();
  auto all = long_history(1);
  std::string sent;
  const auto resend = [&](const std::string& next) {
    std::string body;
    for (const auto& x : all)
      body += x->json + ",";
    return ask("[" + body + R"({"role":"user","content":")" + next + "\"}]");
  };
  auto id = resend("0");
  load({}, {}, 2);
  load(all);
  for (int i = 1; i <= 40; ++i) {
    complete(id, "reply");
    stored(id);
    all.push_back(message("user", std::to_string(i - 1)));
    all.push_back(message("assistant", "reply"));
    id = resend(std::to_string(i));
    CAF_REQUIRE_EQUAL(order().id, id);
    CAF_REQUIRE_EQUAL(order().context.total, all.size() + 1);
  }
  CAF_CHECK_EQUAL(journal->count<load_thread>(), 2u);
}

CAF_TEST(a thread without limits stays whole) {
  start_loaded();
  for (int i = 0; i < 50; ++i)
    talk("q", "a");
  say("next");
  CAF_CHECK_EQUAL(order().prompt.size(), 101u);
}

CAF_TEST_FIXTURE_SCOPE_END()
