#define CAF_SUITE builtin_upstream
#include "tests/test.hpp"

#include "http/builtin_upstream.hpp"

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

struct outcome {
  std::string streamed;
  std::vector<answer> completed;
  std::vector<failure> failed;

  std::size_t ends() const {
    return completed.size() + failed.size();
  }
};

class recorder final : public http::exchange_listener {
public:
  explicit recorder(outcome& to) : to_(to) {}

  void on_deltas(std::vector<choice_delta> deltas) override {
    CAF_CHECK_EQUAL(to_.ends(), 0u);
    for (const auto& x : deltas)
      to_.streamed += x.content;
  }
  void on_completed(answer result) override {
    to_.completed.push_back(std::move(result));
  }
  void on_failed(failure why) override {
    to_.failed.push_back(std::move(why));
  }

private:
  outcome& to_;
};

/// A message as it may come from a damaged file: its text is not checked.
message_ptr unchecked(const std::string& text) {
  chat_message out = *message("user", "x");
  out.json = R"({"role":"user","content":")" + text + "\"}";
  return std::make_shared<const chat_message>(out);
}

outcome ask(const message_list& prompt, bool stream, std::uint32_t choices = 1) {
  boost::asio::io_context context;
  const auto upstream = http::make_builtin_upstream(context, {});
  chat_parameters parameters;
  parameters.stream = stream;
  parameters.choices = choices;
  outcome out;
  const auto running =
      upstream->start({parameters, prompt, "req_1", 1'000'000}, std::make_shared<recorder>(out));
  context.run();
  CAF_CHECK_EQUAL(out.ends(), 1u);
  return out;
}

} // namespace

CAF_TEST(an answer says what the thread holds) {
  const message_list prompt{message("user", "one"), message("assistant", "1"),
                            message("user", "two")};
  const auto plain = ask(prompt, false);
  CAF_REQUIRE_EQUAL(plain.completed.size(), 1u);
  const auto& text = plain.completed[0].choices.at(0).message;
  CAF_CHECK(text.find("This is turn 2") != std::string::npos);
  CAF_CHECK(text.find("one") != std::string::npos);
  CAF_CHECK_EQUAL(plain.streamed, "");
  const auto streamed = ask(prompt, true);
  CAF_CHECK_EQUAL(streamed.completed.at(0).choices.at(0).message, text);
  CAF_CHECK(streamed.streamed.find("This is turn 2") == 0);
}

CAF_TEST(there are as many choices as were asked for) {
  for (const bool stream : {false, true})
    CAF_CHECK_EQUAL(ask({message("user", "hi")}, stream, 3).completed.at(0).choices.size(), 3u);
}

CAF_TEST(damaged text has one end and no crash) {
  const std::string damaged[] = {"\xff",
                                 "a\xc3",
                                 "\xe4\xb8",
                                 "\xed\xa0\x80",
                                 std::string(300, '\x80'),
                                 "x\xf8\x88\x80\x80\x80 y",
                                 "\\ud800",
                                 "\\udc00x",
                                 "a\nb"};
  std::size_t failed = 0;
  for (const auto& text : damaged)
    for (const bool stream : {false, true})
      for (const std::uint32_t choices : {1u, 2u})
        failed += ask({unchecked(text)}, stream, choices).failed.size();
  CAF_CHECK_GREATER(failed, 0u);
  const auto x = ask({unchecked("\xff")}, false);
  CAF_REQUIRE_EQUAL(x.failed.size(), 1u);
  CAF_CHECK(x.failed[0].kind == error_kind::upstream_error);
}

CAF_TEST(text of any length is quoted between its characters) {
  for (std::size_t n = 190; n < 210; ++n)
    for (const auto* character : {"é", "中", "😀"}) {
      std::string text(n, 'x');
      for (int i = 0; i < 10; ++i)
        text += character;
      CAF_CHECK_EQUAL(ask({message("user", text)}, false).completed.size(), 1u);
    }
}
