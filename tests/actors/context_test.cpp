#define CAF_SUITE context
#include "tests/test.hpp"

#include "actors/context.hpp"

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

/// The prompt in short: the text of each message, or its calls.
std::string short_prompt(const prompt& x) {
  std::string out;
  for (const auto& m : x.messages) {
    out += out.empty() ? "" : " ";
    if (!m->calls.empty()) {
      out += "calls:";
      for (const auto& id : m->calls)
        out += id;
    } else if (m->who == role::tool) {
      out += "tool:" + m->answers;
    } else {
      const auto at = m->json.find(R"("content":")") + 11;
      out += m->json.substr(at, m->json.find('"', at) - at);
    }
  }
  return out;
}

std::string user(const std::string& text) {
  return R"({"role":"user","content":")" + text + R"("},)";
}

std::string assistant(const std::string& text) {
  return R"({"role":"assistant","content":")" + text + R"("},)";
}

std::string calls(const std::vector<std::string>& ids, const std::string& content = "null") {
  std::string out = R"({"role":"assistant","content":)" + content + R"(,"tool_calls":[)";
  for (const auto& id : ids)
    out += R"({"id":")" + id + R"(","type":"function","function":{"name":"f","arguments":"{}"}},)";
  out.back() = ']';
  return out + "},";
}

std::string tool(const std::string& id) {
  return R"({"role":"tool","tool_call_id":")" + id + R"(","content":"r"},)";
}

message_list list(std::string json) {
  if (json.empty())
    return {};
  json.back() = ']';
  return messages_of("[" + json);
}

prompt build(const std::string& history, const std::string& fresh, context_limits limits = {}) {
  return build_prompt({}, list(history), list(fresh), limits);
}

} // namespace

CAF_TEST(everything goes upstream when there are no limits) {
  const auto x = build(user("a") + assistant("b"), user("c"));
  CAF_CHECK_EQUAL(short_prompt(x), "a b c");
  CAF_CHECK_EQUAL(x.size.used, 3u);
  CAF_CHECK_EQUAL(x.size.total, 3u);
}

CAF_TEST(answered tool calls stay with their answers) {
  const auto x =
      build(user("a") + calls({"1", "2"}) + tool("1") + tool("2") + assistant("b"), user("c"));
  CAF_CHECK_EQUAL(short_prompt(x), "a calls:12 tool:1 tool:2 b c");
  CAF_CHECK(!x.stray_answer);
}

CAF_TEST(a tool result alone continues a stored call) {
  const auto x = build(user("a") + calls({"1"}), tool("1"));
  CAF_CHECK_EQUAL(short_prompt(x), "a calls:1 tool:1");
  CAF_CHECK(!x.stray_answer);
}

CAF_TEST(unanswered calls are left out) {
  CAF_CHECK_EQUAL(short_prompt(build(user("a") + calls({"1"}), user("c"))), "a c");
  CAF_CHECK_EQUAL(short_prompt(build(user("a") + calls({"1"}, R"("text")"), user("c"))),
                  "a text c");
  const auto x = build(user("a") + calls({"1", "2"}) + tool("2"), user("c"));
  CAF_CHECK_EQUAL(short_prompt(x), "a calls:2 tool:2 c");
  CAF_CHECK_EQUAL(x.size.used, 4u);
  CAF_CHECK_EQUAL(x.size.total, 4u);
}

CAF_TEST(answers without a call are left out of the history) {
  const auto x = build(user("a") + tool("9") + assistant("b"), user("c"));
  CAF_CHECK_EQUAL(short_prompt(x), "a b c");
  CAF_CHECK(!x.stray_answer);
}

CAF_TEST(answers without a call are a mistake of the request) {
  CAF_CHECK_EQUAL(build(user("a"), tool("9")).stray_answer.value_or(""), "9");
  // A user message in between ends the time for answers.
  CAF_CHECK_EQUAL(build(user("a") + calls({"1"}) + user("b"), tool("1")).stray_answer.value_or(""),
                  "1");
}

CAF_TEST(the first of two answers to one call counts) {
  CAF_CHECK_EQUAL(short_prompt(build(user("a") + calls({"1"}) + tool("1") + tool("1"), user("c"))),
                  "a calls:1 tool:1 c");
}

CAF_TEST(empty assistant messages are left out) {
  CAF_CHECK_EQUAL(short_prompt(build(user("a") + assistant(""), user("c"))), "a c");
}

CAF_TEST(a limit of messages keeps the newest whole turns and the instructions) {
  const auto instructions = messages_of(R"([{"role":"system","content":"s"}])");
  const auto history = list(user("a") + assistant("b") + user("c") + assistant("d"));
  const auto fresh = list(user("e"));
  const auto with = [&](std::size_t n) {
    return short_prompt(build_prompt(instructions, history, fresh, {n, 0}));
  };
  CAF_CHECK_EQUAL(with(6), "s a b c d e");
  CAF_CHECK_EQUAL(with(5), "s c d e");
  CAF_CHECK_EQUAL(with(4), "s c d e");
  CAF_CHECK_EQUAL(with(3), "s e");
  CAF_CHECK_EQUAL(with(1), "s e"); // never less than the last turn
}

CAF_TEST(a limit of tokens does the same) {
  const std::string long_text(400, 'x'); // about 100 tokens
  const auto history =
      list(user(long_text) + assistant(long_text) + user("c") + assistant(long_text));
  const auto fresh = list(user("e"));
  CAF_CHECK_EQUAL(build_prompt({}, history, fresh, {0, 1000}).size.used, 5u);
  CAF_CHECK_EQUAL(build_prompt({}, history, fresh, {0, 150}).size.used, 3u);
  CAF_CHECK_EQUAL(build_prompt({}, history, fresh, {0, 50}).size.used, 1u);
}

CAF_TEST(a limit never parts calls from their answers) {
  const auto history = user("a") + calls({"1"}) + tool("1") + assistant("b");
  for (std::size_t n = 1; n < 7; ++n) {
    const auto x = build(history, user("c"), {n, 0});
    CAF_CHECK_EQUAL(short_prompt(x), n < 5 ? "c" : "a calls:1 tool:1 b c");
  }
}
