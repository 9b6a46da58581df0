/// What one turn costs in the codecs and in the rules of a conversation, without sockets and
/// actors.
#include "actors/context.hpp"
#include "actors/merge.hpp"
#include "http/answer_encoder.hpp"
#include "http/answer_stream.hpp"
#include "http/json.hpp"
#include "http/request_codec.hpp"
#include "http/request_parser.hpp"
#include "http/sse_parser.hpp"
#include "http/upstream_codec.hpp"

#include <benchmark/benchmark.h>
#include <boost/asio/buffer.hpp>

#include <limits>
#include <string>
#include <variant>

using namespace lang_agent;

namespace {

/// A request whose messages alternate between user and assistant.
std::string request_body(int messages) {
  std::string out = R"({"model":"m","thread_id":7,"stream":true,"messages":[)";
  for (int i = 0; i < messages; ++i) {
    out += i ? "," : "";
    out += i % 2 ? R"({"role":"assistant","content":"reply number )"
                 : R"({"role":"user","content":"question number )";
    out += std::to_string(i) + R"(, with some words around it to make it a sentence or two."})";
  }
  return out + "]}";
}

http::chat_request decoded(int messages) {
  return std::get<http::chat_request>(http::decode_chat_request(request_body(messages), {}));
}

constexpr std::string_view event =
    R"({"id":"x","object":"chat.completion.chunk","created":1,"model":"m",)"
    R"("choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}]})";

/// Head and body as a client of ordinary manners sends them.
void parse_http_request(benchmark::State& state) {
  const auto body = request_body(1);
  const auto bytes = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost:8488\r\n"
                     "User-Agent: client/1.0\r\nAccept: */*\r\nConnection: keep-alive\r\n"
                     "Authorization: Bearer 123tangledup-ai\r\nContent-Type: application/json\r\n"
                     "Content-Length: "
                     + std::to_string(body.size()) + "\r\n\r\n" + body;
  for (auto _ : state) {
    http::request_parser parser{1 << 16, 1 << 20};
    parser.eager(true);
    boost::beast::error_code ec;
    parser.put(boost::asio::buffer(bytes), ec);
    if (ec || !parser.is_done())
      state.SkipWithError("not a whole request");
    benchmark::DoNotOptimize(parser.take_body());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes.size()) * state.iterations());
}
BENCHMARK(parse_http_request);

void decode_request(benchmark::State& state) {
  const auto body = request_body(static_cast<int>(state.range(0)));
  for (auto _ : state)
    benchmark::DoNotOptimize(http::decode_chat_request(body, {}));
  state.SetBytesProcessed(static_cast<std::int64_t>(body.size()) * state.iterations());
}
BENCHMARK(decode_request)->Arg(1)->Arg(20)->Arg(1000);

void encode_upstream_body(benchmark::State& state) {
  const auto x = decoded(static_cast<int>(state.range(0)));
  for (auto _ : state)
    benchmark::DoNotOptimize(http::encode_upstream_request(x.parameters, x.messages, "", false));
}
BENCHMARK(encode_upstream_body)->Arg(1)->Arg(20)->Arg(1000)->Arg(10000);

/// A plain answer of so many words.
std::string answer_body(std::int64_t words) {
  std::string text;
  for (std::int64_t i = 0; i < words; ++i)
    text += "word ";
  return R"({"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,)"
         R"("message":{"role":"assistant","content":")"
         + text
         + R"("},"finish_reason":"stop"}],)"
           R"("usage":{"prompt_tokens":9,"completion_tokens":9,"total_tokens":18}})";
}

void decode_answer(benchmark::State& state) {
  const auto body = answer_body(state.range(0));
  for (auto _ : state)
    benchmark::DoNotOptimize(http::decode_answer(body, 1));
  state.SetBytesProcessed(static_cast<std::int64_t>(body.size()) * state.iterations());
}
BENCHMARK(decode_answer)->Arg(10)->Arg(1000);

void encode_answer(benchmark::State& state) {
  const auto x = std::get<answer>(http::decode_answer(answer_body(state.range(0)), 1));
  const http::answer_encoder encoder{http::make_answer_id(), 1, "m", false};
  for (auto _ : state)
    benchmark::DoNotOptimize(encoder.whole(x));
}
BENCHMARK(encode_answer)->Arg(10)->Arg(1000);

/// Text of which nothing (0) or every eighth character (8) has to be escaped.
void encode_string(benchmark::State& state) {
  std::string text(4096, 'x');
  if (const auto every = static_cast<std::size_t>(state.range(0)))
    for (std::size_t i = 0; i < text.size(); i += every)
      text[i] = '\n';
  for (auto _ : state) {
    std::string out;
    http::append_json_string(out, text);
    benchmark::DoNotOptimize(out);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(text.size()) * state.iterations());
}
BENCHMARK(encode_string)->Arg(0)->Arg(8);

/// A client that sends only what is new.
void merge_new_message(benchmark::State& state) {
  const auto history = decoded(static_cast<int>(state.range(0))).messages;
  const auto request = decoded(1).messages;
  for (auto _ : state)
    benchmark::DoNotOptimize(merge(history, request));
}
BENCHMARK(merge_new_message)->Arg(20)->Arg(1000)->Arg(10000);

/// A client that keeps the last ten messages and adds one.
void merge_overlap(benchmark::State& state) {
  auto history = decoded(static_cast<int>(state.range(0)) + 1).messages;
  const message_list request{history.end() - 11, history.end()};
  history.pop_back();
  for (auto _ : state)
    benchmark::DoNotOptimize(merge(history, request));
}
BENCHMARK(merge_overlap)->Arg(20)->Arg(1000)->Arg(10000);

/// A client that resends everything and adds one message.
void merge_resent_history(benchmark::State& state) {
  const auto request = decoded(static_cast<int>(state.range(0)) + 1);
  auto history = request.messages;
  history.pop_back();
  for (auto _ : state)
    benchmark::DoNotOptimize(merge(history, request.messages));
}
BENCHMARK(merge_resent_history)->Arg(20)->Arg(1000)->Arg(10000);

void build_prompt_of_history(benchmark::State& state) {
  const auto x = decoded(static_cast<int>(state.range(0)));
  for (auto _ : state)
    benchmark::DoNotOptimize(build_prompt({}, x.messages, {}, {}));
}
BENCHMARK(build_prompt_of_history)->Arg(20)->Arg(1000)->Arg(10000);

/// The same, of which the newest twenty messages go upstream.
void build_limited_prompt(benchmark::State& state) {
  const auto x = decoded(static_cast<int>(state.range(0)));
  for (auto _ : state)
    benchmark::DoNotOptimize(build_prompt({}, x.messages, {}, {20, 0}));
}
BENCHMARK(build_limited_prompt)->Arg(1000)->Arg(10000);

/// Events of one read, so many.
void parse_events(benchmark::State& state) {
  std::string bytes;
  for (std::int64_t i = 0; i < state.range(0); ++i)
    bytes += "data: " + std::string{event} + "\n\n";
  http::sse_parser parser{1 << 20};
  std::size_t seen = 0;
  for (auto _ : state)
    parser.feed(bytes, [&](std::string_view data) { seen += data.size(); });
  benchmark::DoNotOptimize(seen);
  state.SetItemsProcessed(state.range(0) * state.iterations());
}
BENCHMARK(parse_events)->Arg(1)->Arg(100);

/// One token on its way from the upstream's bytes to the client's.
void pass_delta_on(benchmark::State& state) {
  const auto bytes = "data: " + std::string{event} + "\n\n";
  http::sse_parser parser{1 << 20};
  http::answer_stream stream{std::numeric_limits<std::size_t>::max(), 1};
  http::answer_encoder encoder{http::make_answer_id(), 1, "m", false};
  std::vector<choice_delta> deltas;
  for (auto _ : state) {
    parser.feed(bytes, [&](std::string_view data) { stream.add(data, deltas); });
    std::string out;
    for (const auto& delta : deltas)
      encoder.delta(out, delta);
    deltas.clear();
    benchmark::DoNotOptimize(out);
  }
}
BENCHMARK(pass_delta_on);

} // namespace
