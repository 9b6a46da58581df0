#include "benchmarks/simulator/answer.hpp"

#include "benchmarks/simulator/refusal.hpp"
#include "benchmarks/simulator/text.hpp"
#include "http/answer_encoder.hpp"
#include "http/json.hpp"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <limits>

namespace lang_agent::simulator {

namespace {

using asio::awaitable;

constexpr std::string_view html_page =
    "<!DOCTYPE html>\n<html><body><h1>Welcome</h1></body></html>\n";
constexpr std::size_t enough_to_send = 16 * 1024;
constexpr std::size_t drip_bytes = 8;
constexpr double longest_answer = 1e6; // words
/// How far the words may lag behind their times before these are given up.
constexpr std::chrono::milliseconds most_lag{100};

/// No answer takes longer: eleven days in milliseconds, as of a single distribution. A sum of a
/// few of these is no trouble for a clock that counts nanoseconds.
constexpr double longest_ms = 1e9;

clock::duration from_ms(double x) {
  x = x > 0 ? std::min(x, longest_ms) : 0; // not even NaN
  return std::chrono::duration_cast<clock::duration>(std::chrono::duration<double, std::milli>{x});
}

http::decode_options lenient() {
  http::decode_options out;
  out.max_depth = 512;
  out.max_messages = 10'000'000;
  out.temperature.reset();
  out.max_tokens.reset();
  out.default_thread.clear();
  return out;
}

/// Nothing is sent once the answer is `over`, so that the steps need not ask each other. And no
/// coroutine here gives a value: g++ 12 lays out some of those that do wrongly.
class chat_answer {
public:
  chat_answer(client& to, simulation& all, const request& asked)
      : to_(to), all_(all), asked_(asked) {
    record_.connection = asked.connection;
    record_.path = asked.path;
    record_.request_id = asked.request_id;
    record_.key = asked.key;
    record_.result = outcome::client_closed; // until another end is reached
  }

  /// To be called when `run` has thrown.
  void abandon() {
    if (record_.n && !finished_)
      finish_request();
  }

  awaitable<void> run() {
    auto decoded = http::decode_chat_request(asked_.body, lenient());
    if (auto* chat = std::get_if<http::chat_request>(&decoded)) {
      start(std::move(*chat));
      co_await answer();
    } else {
      const auto& why = std::get<failure>(decoded);
      const auto body = http::encode_error(why);
      record_.n = all_.begin_invalid().n;
      co_await send_whole(why.http_status(), json_type, body, "", outcome::refused);
    }
    finish_request();
  }

private:
  void finish_request() {
    finished_ = true;
    producing_.reset();
    all_.finish(std::move(record_), begun_);
  }

  void start(http::chat_request chat) {
    chat_ = std::move(chat);
    call_ = all_.begin(asked_.key, chat_.parameters.model);
    record_.n = call_.n;
    record_.model = chat_.parameters.model;
    record_.stream = chat_.parameters.stream;
    record_.fault = call_.fault;
    random_ =
        random_source{scatter(all_.seed(), std::numeric_limits<std::uint64_t>::max(), call_.n)};
    encoder_.emplace(http::make_answer_id(), std::time(nullptr), chat_.parameters.model,
                     chat_.parameters.include_usage);
  }

  bool has(fault_kind kind) const {
    return call_.fault && call_.fault->kind == kind;
  }

  awaitable<void> answer() {
    const auto refused =
        call_.fault ? refusal_of(*call_.fault, asked_.key, record_.model) : std::nullopt;
    if (refused) {
      co_await pause(call_.fault->delay);
      co_await send_whole(refused->status, json_type, refused->body, refused->fields,
                          outcome::refused);
    } else if (has(fault_kind::wrong_type)) {
      co_await pause(call_.fault->delay);
      co_await send_whole(200, "text/html; charset=utf-8", html_page, "", outcome::wrong_type);
    } else {
      producing_.emplace(all_);
      spoken_ = speak(chat_, all_.seed(), length());
      due_ = clock::now() + from_ms(call_.model->first_token_delay.sample(random_) * slowness());
      if (chat_.parameters.stream)
        co_await stream();
      else
        co_await plain();
    }
  }

  // -- time ---------------------------------------------------------------------------------------

  std::size_t length() {
    if (call_.model->length.is_zero())
      return 0;
    const auto words = std::round(call_.model->length.sample(random_));
    return static_cast<std::size_t>(std::clamp(words, 1.0, longest_answer));
  }

  double slowness() const {
    return all_.slowness(*call_.model) * (has(fault_kind::slow) ? call_.fault->factor : 1);
  }

  clock::duration interval() {
    return from_ms(call_.model->token_interval.sample(random_) * slowness());
  }

  awaitable<void> pause(clock::duration x) {
    co_await to_.pause_until(clock::now() + x);
  }

  /// When the next word is due. Does not drift, and does not catch up forever.
  void advance() {
    due_ = std::max(due_ + interval(), clock::now() - most_lag);
  }

  /// The sum of all intervals, which may be many and long.
  void advance_to_end() {
    const auto latest = begun_ + from_ms(longest_ms);
    for (std::size_t i = 1; i < spoken_.words.size() && due_ < latest; ++i)
      due_ += interval();
  }

  // -- bytes --------------------------------------------------------------------------------------

  std::string id_field() const {
    return "x-request-id: sim-" + std::to_string(*record_.n) + "\r\n";
  }

  awaitable<void> send(std::string_view bytes) {
    co_await to_.send(bytes);
    if (!over() && !record_.first_byte_ms)
      record_.first_byte_ms =
          std::chrono::duration<double, std::milli>{clock::now() - begun_}.count();
  }

  awaitable<void> send_head(int status, std::string_view head) {
    if (has(fault_kind::slow_head))
      co_await drip(head);
    else
      co_await send(head);
    if (!over())
      record_.status = status;
  }

  awaitable<void> drip(std::string_view head) {
    while (!over() && !head.empty()) {
      co_await send(head.substr(0, drip_bytes));
      head.remove_prefix(std::min(drip_bytes, head.size()));
      co_await pause(call_.fault->delay);
    }
  }

  awaitable<void> send_whole(int status, std::string_view type, std::string_view body,
                             std::string_view fields, outcome result) {
    const auto bytes =
        whole_answer(status, type, body, asked_.keep_alive, id_field().append(fields));
    co_await send_head(status, bytes);
    end(result);
  }

  // -- a plain answer -----------------------------------------------------------------------------

  /// It takes as long as the words of a stream would.
  awaitable<void> plain() {
    advance_to_end();
    co_await to_.pause_until(due_);
    auto body = encoder_->whole(spoken_.whole);
    auto result = outcome::complete;
    spoil(body, result);
    if (result != outcome::complete)
      co_await pause(call_.fault->delay);
    if (has(fault_kind::stall) || has(fault_kind::cut)) {
      co_await break_off(body);
    } else {
      const auto head = plain_head(body);
      co_await send_head(200, head);
      co_await send(body);
    }
    end(result);
  }

  void spoil(std::string& body, outcome& end) {
    if (has(fault_kind::malformed)) {
      body.resize(body.size() / 2);
      end = outcome::malformed;
    } else if (has(fault_kind::error_in_stream)) {
      body = server_error_body();
      end = outcome::error_in_stream;
    } else if (has(fault_kind::empty)) {
      auto none = spoken_.whole;
      none.choices.clear();
      body = encoder_->whole(none);
      end = outcome::empty;
    } else if (has(fault_kind::no_done)) {
      for (auto& choice : spoken_.whole.choices)
        forget_reason(body, choice.finish_reason);
      end = outcome::no_done;
    }
  }

  /// The encoder knows no answer without reasons.
  static void forget_reason(std::string& body, const std::string& reason) {
    const auto member = R"("finish_reason":")" + reason + '"';
    const auto at = body.find(member);
    if (at != std::string::npos)
      body.replace(at, member.size(), R"("finish_reason":null)");
  }

  std::string plain_head(std::string_view body) const {
    return sized_head(200, json_type, body.size(), asked_.keep_alive, id_field());
  }

  /// A stall or a cut, before the head or in the middle of the body.
  awaitable<void> break_off(std::string_view body) {
    const auto head = plain_head(body);
    const auto half = call_.fault->deltas_before() > 0 ? body.size() / 2 : 0;
    if (half > 0) {
      co_await send_head(200, head);
      co_await send(body.substr(0, half));
    }
    if (has(fault_kind::cut)) {
      co_await pause(call_.fault->delay);
      co_await cut();
      co_return;
    }
    co_await stall();
    if (half == 0)
      co_await send_head(200, head);
    co_await send(body.substr(half));
  }

  // -- a stream -----------------------------------------------------------------------------------

  awaitable<void> stream() {
    co_await to_.pause_until(due_);
    if (has(fault_kind::empty)) {
      co_await stream_nothing();
      co_return;
    }
    for (std::size_t i = 0; i < spoken_.words.size() && !over(); ++i) {
      if (i > 0)
        co_await wait_for_word();
      for (std::uint32_t choice = 0; choice < chat_.parameters.choices && !over(); ++choice)
        co_await say(choice, i);
    }
    // A short answer meets its fault at the latest before its end.
    if (fault_is_near())
      co_await strike();
    if (malformed_next_)
      queue_event("data: {\"id\":\"chatcmpl-\n\n");
    co_await finish();
  }

  awaitable<void> wait_for_word() {
    advance();
    if (due_ <= clock::now())
      co_return;
    co_await flush();
    co_await to_.pause_until(due_);
  }

  awaitable<void> say(std::uint32_t choice, std::size_t word) {
    if (fault_is_due())
      co_await strike();
    queue_delta(choice, spoken_.words[word]);
    if (queue_.size() >= enough_to_send)
      co_await flush();
  }

  void queue_delta(std::uint32_t choice, const std::string& word) {
    choice_delta delta;
    delta.index = choice;
    delta.content = word;
    std::string event;
    encoder_->delta(event, delta);
    if (std::exchange(malformed_next_, false))
      event = event.substr(0, event.size() / 2) + "\n\n";
    else
      ++queued_deltas_;
    queue_event(event);
  }

  void queue_event(std::string_view event) {
    append_chunk(queue_, event);
  }

  /// The head goes with the first event.
  awaitable<void> flush() {
    if (over() || queue_.empty())
      co_return;
    if (!record_.status) {
      const auto head = stream_head(asked_.keep_alive, id_field());
      if (has(fault_kind::slow_head))
        co_await drip(head);
      else
        queue_.insert(0, head);
    }
    co_await send(queue_);
    if (over())
      co_return;
    record_.status = 200;
    record_.deltas += std::exchange(queued_deltas_, 0);
    queue_.clear();
  }

  awaitable<void> finish() {
    std::string events;
    encoder_->finish(events, spoken_.whole);
    queue_events(events);
    co_await end_stream(has(fault_kind::malformed) ? outcome::malformed : outcome::complete);
  }

  void queue_events(std::string_view events) {
    while (!events.empty()) {
      const auto next = events.find("\n\n") + 2;
      queue_event(events.substr(0, next));
      events.remove_prefix(next);
    }
  }

  awaitable<void> end_stream(outcome result) {
    queue_ += last_chunk;
    co_await flush();
    end(result);
  }

  awaitable<void> stream_nothing() {
    co_await pause(call_.fault->delay);
    // Without choices it has no finish reason either: what is left is the usage, if wanted.
    auto none = spoken_.whole;
    none.choices.clear();
    std::string events;
    encoder_->finish(events, none);
    queue_events(events);
    co_await end_stream(outcome::empty);
  }

  // -- faults in the middle -----------------------------------------------------------------------

  /// Whether the fault happens at a point of the stream that has not been reached.
  bool fault_is_near() const {
    using enum fault_kind;
    return !struck_
           && (has(stall) || has(cut) || has(malformed) || has(error_in_stream) || has(no_done));
  }

  bool fault_is_due() const {
    if (!fault_is_near())
      return false;
    // Without a number, no_done means what its name says: all but the end.
    const auto after = call_.fault->after.value_or(
        has(fault_kind::no_done) ? std::numeric_limits<std::uint64_t>::max() : 0);
    return record_.deltas + queued_deltas_ == after;
  }

  awaitable<void> strike() {
    struck_ = true;
    co_await flush();
    if (has(fault_kind::stall)) {
      co_await stall();
      co_return;
    }
    co_await pause(call_.fault->delay);
    if (has(fault_kind::cut)) {
      co_await cut();
    } else if (has(fault_kind::error_in_stream)) {
      queue_event("data: " + server_error_body() + "\n\n");
      co_await end_stream(outcome::error_in_stream);
    } else if (has(fault_kind::no_done)) {
      co_await end_stream(outcome::no_done);
    } else {
      malformed_next_ = true;
    }
  }

  /// For as long as the rule says, or until the client closes.
  awaitable<void> stall() {
    producing_.reset(); // a model that is silent slows nobody
    if (call_.fault->delay.count() == 0)
      co_await to_.silence();
    else
      co_await pause(call_.fault->delay);
  }

  awaitable<void> cut() {
    co_await to_.deliver();
    if (over())
      co_return;
    end(outcome::cut);
    if (call_.fault->reset)
      to_.reset();
    else
      to_.close();
  }

  /// Whether nothing more can be said: the client has gone, or the answer has its end.
  bool over() const {
    return ended_ || to_.gone();
  }

  void end(outcome result) {
    if (over())
      return;
    ended_ = true;
    record_.result = result;
  }

  client& to_;
  simulation& all_;
  const request& asked_;
  const clock::time_point begun_ = clock::now();
  record record_;
  http::chat_request chat_;
  call call_;
  random_source random_{0};
  std::optional<http::answer_encoder> encoder_;
  std::optional<simulation::producing> producing_;
  spoken spoken_;
  clock::time_point due_;
  std::string queue_; ///< not yet sent
  std::uint64_t queued_deltas_ = 0;
  bool struck_ = false;
  bool ended_ = false;
  bool malformed_next_ = false;
  bool finished_ = false;
};

} // namespace

awaitable<void> answer_chat(client& to, simulation& all, const request& asked) {
  chat_answer answer{to, all, asked};
  try {
    co_await answer.run();
  } catch (...) {
    answer.abandon();
    throw;
  }
}

} // namespace lang_agent::simulator
