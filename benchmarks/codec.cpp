/// What one turn costs in the codecs and in the rules of a conversation, without sockets and
/// actors.
#include "actors/context.hpp"
#include "actors/merge.hpp"
#include "http/answer_encoder.hpp"
#include "http/answer_stream.hpp"
#include "http/request_codec.hpp"
#include "http/sse_parser.hpp"
#include "http/upstream_codec.hpp"

#include <benchmark/benchmark.h>

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
