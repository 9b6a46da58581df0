/// An import, read without actors.
#define CAF_SUITE import_parser
#include "tests/test.hpp"

#include "actors/import_parser.hpp"

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

constexpr std::size_t max_line = 1000;

std::string head_of(const std::string& id) {
  thread_info x;
  x.id = id;
  x.created = 1000;
  x.updated = 2000;
  x.turns = 1;
  return http::export_thread_line(x);
}

std::string line_of(std::uint64_t number, const std::string& text) {
  return http::export_message_line({number, 1500, false, message("user", text)});
}

std::string lines_of(std::uint64_t count) {
  std::string out;
  for (std::uint64_t i = 1; i <= count; ++i)
    out += line_of(i, std::to_string(i));
  return out;
}

std::string thread_file(const std::string& id, std::uint64_t messages = 2) {
  return head_of(id) + lines_of(messages) + http::export_end_line(id, messages);
}

/// Runs a parser and writes down its steps.
struct reader {
  explicit reader(std::size_t longest = max_line) : parser("tenant", longest) {}

  import_parser parser;
  std::string steps;
  std::string import; ///< name of the last one
  bool over = false;

  void feed(std::string_view piece, bool last = false) {
    parser.feed(piece, last);
    for (bool more = true; more && !over;) {
      auto step = parser.next();
      more = std::visit([this](const auto& x) { return take(x); }, step);
    }
  }

private:
  void say(const std::string& what) {
    steps += (steps.empty() ? "" : "; ") + what;
  }

  bool take(import_parser::need_input) {
    return false;
  }

  bool take(import_parser::complete) {
    say("complete");
    over = true;
    return false;
  }

  bool take(const failure& why) {
    say((why.kind == error_kind::request_too_large ? "too large: " : "failure: ") + why.message);
    over = true;
    return false;
  }

  bool take(const find_thread& x) {
    say("find " + x.key.tenant + "/" + x.key.thread);
    return true;
  }

  bool take(const import_messages& x) {
    import = x.import;
    say("messages " + std::to_string(x.messages.size()) + " from "
        + std::to_string(x.messages.front().number));
    return true;
  }

  bool take(const finish_import& x) {
    // It is the one that its pieces were for.
    if (x.messages > 0)
      CAF_CHECK_EQUAL(x.import, import);
    CAF_CHECK_EQUAL(x.info.id, x.key.thread);
    CAF_CHECK_EQUAL(parser.thread_id(), x.key.thread);
    say("finish " + x.key.tenant + "/" + x.key.thread + " of " + std::to_string(x.messages));
    return true;
  }
};

std::string steps_of(const std::string& file, std::size_t longest = max_line) {
  reader x{longest};
  x.feed(file, true);
  CAF_CHECK(x.over);
  return x.steps;
}

/// The same steps, wherever the file is cut into pieces.
void check_cuts(const std::string& file, std::size_t longest = max_line) {
  const auto expected = steps_of(file, longest);
  for (std::size_t i = 0; i <= file.size(); ++i) {
    reader x{longest};
    x.feed(file.substr(0, i));
    x.feed(file.substr(i), true);
    CAF_REQUIRE_EQUAL(x.steps, expected);
  }
  for (const std::size_t size : {1u, 2u, 3u, 5u, 64u}) {
    reader x{longest};
    for (std::size_t i = 0; i < file.size(); i += size)
      x.feed(file.substr(i, size));
    x.feed("", true);
    CAF_REQUIRE_EQUAL(x.steps, expected);
  }
}

const std::string steps_of_7 = "find tenant/7; messages 2 from 1; finish tenant/7 of 2";

} // namespace

CAF_TEST(a file becomes questions and changes in order) {
  CAF_CHECK_EQUAL(steps_of(thread_file("7")), steps_of_7 + "; complete");
  CAF_CHECK_EQUAL(steps_of(thread_file("7") + thread_file("8", 0)),
                  steps_of_7 + "; find tenant/8; finish tenant/8 of 0; complete");
}

CAF_TEST(pieces may end anywhere) {
  auto without_end = thread_file("9", 1);
  without_end.pop_back();
  const auto file = "\n" + thread_file("7") + " \r\n" + thread_file("8", 0) + without_end;
  check_cuts(file);
  CAF_CHECK(steps_of(file).ends_with("complete"));
}

CAF_TEST(what is wrong is the same wherever pieces end) {
  check_cuts(thread_file("7") + "nonsense\n" + thread_file("8"));
  check_cuts(head_of("7") + line_of(1, "x"));
  check_cuts(thread_file("7") + line_of(1, std::string(300, 'x')) + thread_file("8"), 200);
  check_cuts("");
  check_cuts("\n\n");
}

CAF_TEST(a line that is too long is told when all of it came at once) {
  const auto problem = [](const std::string& file, std::size_t longest) {
    const auto steps = steps_of(file, longest);
    const auto at = steps.find("too large");
    return at == std::string::npos ? "nothing" : steps.substr(at);
  };
  const std::string long_line(101, 'x');
  CAF_CHECK_EQUAL(problem(long_line + "\n", 100), "too large: Line 1 is longer than 100 bytes.");
  CAF_CHECK_EQUAL(problem(long_line, 100), "too large: Line 1 is longer than 100 bytes.");
  CAF_CHECK_EQUAL(problem(std::string(101, ' ') + "\n", 100),
                  "too large: Line 1 is longer than 100 bytes.");
  CAF_CHECK_EQUAL(problem("\n\n" + long_line + "\n", 100),
                  "too large: Line 3 is longer than 100 bytes.");
  CAF_CHECK_EQUAL(problem(std::string(100, 'x') + "\n", 100), "nothing");
  const auto line = line_of(1, "x");
  const auto file = head_of("7") + line + http::export_end_line("7", 1);
  const auto longest = std::max(head_of("7").size(), line.size()) - 1; // without its end
  CAF_CHECK_EQUAL(problem(file, longest), "nothing");
  CAF_CHECK_EQUAL(problem(file, longest - 1).substr(0, 9), "too large");
}

CAF_TEST(a line that is too long is told before its end has come) {
  reader x{100};
  x.feed(std::string(60, 'x'));
  CAF_CHECK(!x.over);
  x.feed(std::string(40, 'x'));
  CAF_CHECK(!x.over);
  x.feed("x");
  CAF_CHECK_EQUAL(x.steps, "too large: Line 1 is longer than 100 bytes.");
}

CAF_TEST(lines before a piece do not count to the line that it continues) {
  reader x{std::max(head_of("10").size(), line_of(1, "1").size()) + 20};
  for (int i = 10; i < 60; ++i) // each piece ends within the first line of the next thread
    x.feed(thread_file(std::to_string(i)) + std::string(20, ' '));
  x.feed("\n", true);
  CAF_CHECK(x.steps.ends_with("complete"));
}

CAF_TEST(a file that ends too early is not complete) {
  for (const auto& file : {head_of("7"), head_of("7") + lines_of(2),
                           thread_file("6") + head_of("7") + line_of(1, "x")})
    CAF_CHECK(steps_of(file).ends_with(
        "failure: The file ends before the thread '7' does: it is not complete."));
  CAF_CHECK_EQUAL(steps_of(""), "failure: The file holds no thread. Send what an export gave.");
}

CAF_TEST(a file with a message too many or too few is not taken) {
  for (const std::uint64_t said : {0u, 1u, 3u}) {
    const auto steps = steps_of(head_of("7") + lines_of(2) + http::export_end_line("7", said));
    CAF_CHECK_EQUAL(steps, "find tenant/7; failure: line 4: the thread should have "
                               + std::to_string(said) + " messages, but 2 were there.");
  }
  CAF_CHECK(steps_of(head_of("7") + lines_of(2) + http::export_end_line("8", 2))
                .ends_with("line 4: the end of a thread that has not begun."));
}

CAF_TEST(lines in the wrong order are told) {
  CAF_CHECK_EQUAL(steps_of(line_of(1, "x")),
                  "failure: line 1: a message comes before the line of its thread.");
  CAF_CHECK_EQUAL(steps_of(head_of("7") + head_of("8")),
                  "find tenant/7; failure: line 2: a thread begins before the one before it has "
                  "ended.");
  CAF_CHECK_EQUAL(steps_of(thread_file("7") + line_of(3, "x")),
                  steps_of_7 + "; failure: line 5: a message comes before the line of its thread.");
}

CAF_TEST(a long thread is handed on in pieces) {
  CAF_CHECK_EQUAL(steps_of(thread_file("7", 600)),
                  "find tenant/7; messages 256 from 1; messages 256 from 257; messages 88 from "
                  "513; finish tenant/7 of 600; complete");
  CAF_CHECK_EQUAL(steps_of(thread_file("7", 256)),
                  "find tenant/7; messages 256 from 1; finish tenant/7 of 256; complete");
  const std::string text(400'000, 'x');
  std::string file = head_of("7");
  for (std::uint64_t i = 1; i <= 4; ++i)
    file += line_of(i, text);
  CAF_CHECK_EQUAL(steps_of(file + http::export_end_line("7", 4), 1'000'000),
                  "find tenant/7; messages 3 from 1; messages 1 from 4; finish tenant/7 of 4; "
                  "complete");
}

CAF_TEST(what is unfinished can be discarded) {
  reader x;
  CAF_CHECK(!x.parser.unfinished());
  x.feed(head_of("7"));
  CAF_CHECK(x.parser.unfinished());
  x.feed(lines_of(300));
  auto part = x.parser.unfinished();
  CAF_REQUIRE(part);
  CAF_CHECK_EQUAL(part->import, x.import);
  x.feed(http::export_end_line("7", 300));
  CAF_CHECK(!x.parser.unfinished()); // the reader has asked for what follows
  x.feed(head_of("8"));
  part = x.parser.unfinished();
  CAF_REQUIRE(part);
  CAF_CHECK(part->import != x.import);
}

CAF_TEST(a thread is unfinished until its last step is done) {
  import_parser x{"tenant", max_line};
  x.feed(thread_file("7", 1), true);
  CAF_CHECK(std::holds_alternative<find_thread>(x.next()));
  CAF_CHECK(std::holds_alternative<import_messages>(x.next()));
  CAF_CHECK(std::holds_alternative<finish_import>(x.next()));
  CAF_CHECK(x.unfinished());
  CAF_CHECK_EQUAL(x.thread_id(), "7");
  CAF_CHECK(std::holds_alternative<import_parser::complete>(x.next()));
  CAF_CHECK(!x.unfinished());
}
