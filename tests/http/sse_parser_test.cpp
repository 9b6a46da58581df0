#define CAF_SUITE sse_parser
#include "tests/test.hpp"

#include "http/sse_parser.hpp"

#include <random>

using namespace lang_agent;
using http::sse_parser;
using strings = std::vector<std::string>;

namespace {

struct stream {
  explicit stream(std::size_t most = 1000) : parser(most) {}

  bool feed(std::string_view bytes) {
    return parser.feed(bytes, sink);
  }

  void finish() {
    parser.finish(sink);
  }

  strings events;
  sse_parser parser;
  const sse_parser::on_data sink = [this](std::string_view data) { events.emplace_back(data); };
};

strings events_of(const std::string& bytes) {
  stream x;
  CAF_CHECK(x.feed(bytes));
  x.finish();
  return x.events;
}

struct row {
  const char* what;
  std::string bytes;
  strings events;
};

const row table[] = {
    {"nothing", "", {}},
    {"one event", "data: a\n\n", {"a"}},
    {"two events", "data: a\n\ndata: b\n\n", {"a", "b"}},
    {"CRLF", "data: a\r\n\r\ndata: b\r\n\r\n", {"a", "b"}},
    {"CR", "data: a\r\rdata: b\r\r", {"a", "b"}},
    {"mixed line ends", "data: a\r\n\ndata: b\n\r\ndata: c\r\n\r", {"a", "b", "c"}},
    {"several lines are one datum", "data: a\ndata: b\ndata:\n\n", {"a\nb\n"}},
    {"only one blank after the colon goes", "data:  a \n\n", {" a "}},
    {"no blank after the colon", "data:a:b\n\n", {"a:b"}},
    {"two empty data lines are a line end", "data\ndata\n\n", {"\n"}},
    {"an event without data is none", "data:\n\ndata\n\n\n\n", {}},
    {"comments", ": ping\n\n:\ndata: a\n: b\n\n", {"a"}},
    {"other fields", "event: x\nid: 1\nretry: 5\ndata: a\nevent\n\n", {"a"}},
    {"longer and shorter names are other fields", "datas: a\ndat: b\ndata : c\nData: d\n\n", {}},
    {"an event of another field only", "event: x\n\n", {}},
    {"a byte order mark",
     "\xef\xbb\xbf"
     "data: a\n\n",
     {"a"}},
    {"... counts at the start only",
     "data: a\n\n\xef\xbb\xbf"
     "data: b\n\n",
     {"a"}},
    {"a missing blank line", "data: a\n\ndata: b\n", {"a", "b"}},
    {"a missing line end", "data: a\r\n\r\ndata: b", {"a", "b"}},
    {"UTF-8", "data: 中😀\n\n", {"中😀"}},
    {"OpenAI", "data: {\"a\":1}\n\ndata: [DONE]\n\n", {"{\"a\":1}", "[DONE]"}},
};

} // namespace

CAF_TEST(streams are read as the standard says) {
  for (const auto& x : table) {
    CAF_MESSAGE(x.what);
    CAF_CHECK_EQUAL(events_of(x.bytes), x.events);
  }
}

CAF_TEST(an event is told once its blank line is there) {
  stream x;
  x.feed("data: a\n");
  CAF_CHECK(x.events.empty());
  x.feed("\n");
  CAF_CHECK_EQUAL(x.events, strings{"a"});
  x.feed("data: b\r\n\r"); // the CR ends the event, whatever follows
  CAF_CHECK_EQUAL(x.events, (strings{"a", "b"}));
}

CAF_TEST(two cuts anywhere change nothing) {
  for (const auto& x : table) {
    const std::string_view all = x.bytes;
    for (std::size_t i = 0; i <= all.size(); ++i)
      for (std::size_t j = i; j <= all.size(); ++j) {
        stream cut;
        cut.feed(all.substr(0, i));
        cut.feed(all.substr(i, j - i));
        cut.feed(all.substr(j));
        cut.finish();
        if (cut.events != x.events)
          CAF_FAIL(x.what << ", cut at " << i << " and " << j);
      }
  }
}

CAF_TEST(random streams in random pieces read like the whole) {
  static const strings words{"data:", "data: ",   "data", ":", "event: x", "\n", "\r", "\r\n",
                             "\n\n",  "\r\n\r\n", "a",    "é", "😀",        " ",  "{}"};
  std::mt19937 random{11};
  std::size_t seen = 0;
  for (int round = 0; round < 5'000; ++round) {
    std::string all;
    for (auto n = random() % 40; n > 0; --n)
      all += words[random() % words.size()];
    stream cut;
    for (std::string_view rest = all; !rest.empty();) {
      const auto n = std::min<std::size_t>(rest.size(), 1 + random() % 5);
      cut.feed(rest.substr(0, n));
      rest.remove_prefix(n);
    }
    cut.finish();
    const auto whole = events_of(all);
    seen += whole.size();
    if (cut.events != whole)
      CAF_FAIL("round " << round);
  }
  CAF_CHECK_GREATER(seen, 2'000u);
}

CAF_TEST(an event that is too large ends the stream) {
  const std::string full(10, 'x');
  CAF_CHECK(stream{10}.feed("data:" + full + "\n\n"));
  CAF_CHECK(!stream{10}.feed("data:" + full + "x\n\n"));
  CAF_CHECK(!stream{10}.feed("data:" + full + "\ndata:y\n\n"));
  CAF_CHECK(!stream{10}.feed("data:" + full)); // a line may be no longer either
}

CAF_TEST(a line without end does not grow without end) {
  stream x{10};
  int fed = 0;
  while (fed < 100 && x.feed(":"))
    ++fed;
  CAF_CHECK_EQUAL(fed, 10);
}

CAF_TEST(many events may be larger than one) {
  stream x{10};
  for (int i = 0; i < 100; ++i)
    CAF_REQUIRE(x.feed("data: 12345678\r\n\r\n"));
  CAF_CHECK_EQUAL(x.events.size(), 100u);
}
