#include "http/builtin_upstream.hpp"

#include "http/answer_stream.hpp"
#include "http/json.hpp"
#include "http/message_editing.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <optional>
#include <random>

namespace lang_agent::http {

namespace asio = boost::asio;

namespace {

/// How much of what was said an answer repeats.
constexpr std::size_t quoted_messages = 10;
constexpr std::size_t quoted_characters = 200;

constexpr std::array<std::string_view, 16> filler{
    "and",  "then",  "the",    "river", "carries", "every", "word",  "along",
    "past", "quiet", "stones", "under", "a",       "wide",  "green", "sky"};

/// The beginning of a text, cut between characters.
std::string quote(std::string_view text) {
  auto end = std::min(text.size(), quoted_characters);
  while (end < text.size() && end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
    --end;
  return "\"" + std::string{text.substr(0, end)} + (end < text.size() ? "...\"" : "\"");
}

std::vector<std::string> split_words(const std::string& text) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    auto end = text.find(' ', at);
    end = end == std::string::npos ? text.size() : end + 1;
    words.push_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

class builtin_exchange final : public exchange,
                               public std::enable_shared_from_this<builtin_exchange> {
public:
  builtin_exchange(http::executor home, const builtin_options& options,
                   const exchange_request& request, std::shared_ptr<exchange_listener> listener)
      : home_(std::move(home)),
        timer_(home_),
        options_(options),
        listener_(std::move(listener)),
        stream_(request.parameters.stream),
        choices_(request.parameters.choices),
        credit_(static_cast<std::int64_t>(request.credit)),
        prompt_tokens_(estimate_tokens(request.prompt)),
        words_(split_words(builtin_answer(request.prompt, options))) {
    const auto& limit = request.parameters.max_tokens;
    if (limit && static_cast<std::uint64_t>(*limit) < words_.size()) {
      words_.resize(static_cast<std::size_t>(*limit));
      finish_reason_ = "length";
    }
  }

  void start() {
    asio::dispatch(home_,
                   [self = shared_from_this()] { self->wait(self->options_.first_token_delay); });
  }

  void grant(std::size_t bytes) override {
    asio::post(home_, [self = shared_from_this(), bytes] {
      const bool was_stopped = self->credit_ <= 0;
      self->credit_ += static_cast<std::int64_t>(bytes);
      if (was_stopped && self->credit_ > 0 && !self->waiting_)
        self->produce();
    });
  }

  void cancel() override {
    asio::post(home_, [self = shared_from_this()] {
      self->listener_.reset();
      self->timer_.cancel();
    });
  }

private:
  void wait(std::chrono::milliseconds x) {
    if (x.count() == 0) {
      produce();
      return;
    }
    waiting_ = true;
    timer_.expires_after(x);
    timer_.async_wait([self = shared_from_this()](const boost::system::error_code& ec) {
      self->waiting_ = false;
      if (!ec)
        self->produce();
    });
  }

  /// Says the next word, or all that the credit allows when no time passes between words.
  void produce() {
    if (!listener_)
      return;
    if (!stream_) {
      finish_plain();
      return;
    }
    std::vector<choice_delta> deltas;
    while (next_ < words_.size() && credit_ > 0) {
      for (std::uint32_t i = 0; i < choices_; ++i) {
        auto& delta = deltas.emplace_back();
        delta.index = i;
        delta.content = words_[next_];
        credit_ -= static_cast<std::int64_t>(delta.cost());
      }
      ++next_;
      if (options_.token_interval.count() > 0)
        break;
    }
    if (!deltas.empty())
      listener_->on_deltas(std::move(deltas));
    if (next_ == words_.size())
      complete();
    else if (credit_ > 0)
      wait(options_.token_interval);
  }

  /// A plain answer takes as long as the words of a stream would.
  void finish_plain() {
    const auto left = options_.token_interval * static_cast<std::int64_t>(words_.size());
    if (next_ == 0 && left.count() > 0) {
      next_ = words_.size();
      wait(left);
      return;
    }
    complete();
  }

  /// Spells the answer as an upstream would and lets the codec read it.
  void complete() {
    std::string text;
    for (const auto& word : words_)
      text += word;
    std::string event = R"({"choices":[)";
    for (std::uint32_t i = 0; i < choices_; ++i) {
      event += (i > 0 ? R"(,{"index":)" : R"({"index":)") + std::to_string(i)
               + R"(,"delta":{"content":)";
      append_json_string(event, text);
      event += R"(},"finish_reason":")" + finish_reason_ + "\"}";
    }
    const auto produced = words_.size() * choices_;
    event += R"(],"usage":{"prompt_tokens":)" + std::to_string(prompt_tokens_)
             + R"(,"completion_tokens":)" + std::to_string(produced) + R"(,"total_tokens":)"
             + std::to_string(prompt_tokens_ + produced) + "}}";
    answer_stream whole{std::numeric_limits<std::size_t>::max(), prompt_tokens_, choices_};
    std::vector<choice_delta> ignored;
    auto problem = whole.add(event, ignored); // what it quotes may be damaged
    const auto listener = std::move(listener_);
    if (listener && problem)
      listener->on_failed(std::move(*problem));
    else if (listener)
      listener->on_completed(whole.finish());
  }

  http::executor home_;
  asio::steady_timer timer_;
  const builtin_options options_;
  std::shared_ptr<exchange_listener> listener_; ///< gone once it has heard the end
  bool stream_;
  std::uint32_t choices_;
  std::int64_t credit_;
  std::uint64_t prompt_tokens_;
  std::vector<std::string> words_;
  std::size_t next_ = 0;
  bool waiting_ = false;
  std::string finish_reason_ = "stop";
};

class builtin_upstream final : public upstream {
public:
  builtin_upstream(io_threads threads, builtin_options options)
      : threads_(std::move(threads)), options_(options) {}

  std::shared_ptr<exchange> start(const exchange_request& request,
                                  std::shared_ptr<exchange_listener> listener) override {
    auto out = std::make_shared<builtin_exchange>(threads_.here().get_executor(), options_, request,
                                                  std::move(listener));
    out->start();
    return out;
  }

  void probe(std::function<void(bool)> done) override {
    asio::post(threads_.here(), [done = std::move(done)] { done(true); });
  }

private:
  io_threads threads_;
  builtin_options options_;
};

} // namespace

std::string builtin_answer(const message_list& prompt, const builtin_options& options) {
  std::vector<const chat_message*> said;
  std::uint64_t state = options.seed;
  for (const auto& message : prompt) {
    state = state * 31 + message->id.low;
    if (message->who == role::user)
      said.push_back(message.get());
  }
  std::string out = "This is turn " + std::to_string(std::max<std::size_t>(said.size(), 1))
                    + " of our conversation.";
  if (!said.empty())
    out += " You said: " + quote(text_of(*said.back())) + ".";
  if (said.size() > 1) {
    out += " Before that you told me: ";
    const auto earlier = said.size() - 1;
    const auto first = earlier > quoted_messages ? earlier - quoted_messages : 0;
    for (auto i = first; i < earlier; ++i)
      out += (i > first ? ", " : "") + quote(text_of(*said[i]));
    out += '.';
  }
  if (options.words == 0)
    return out;
  // To the wished length, with words that depend on the seed and on what was said.
  std::mt19937_64 generator{state};
  auto words = split_words(out);
  words.resize(std::min(words.size(), options.words));
  std::string sized;
  for (const auto& word : words)
    sized += word;
  for (auto n = words.size(); n < options.words; ++n) {
    if (!sized.empty() && sized.back() != ' ')
      sized += ' ';
    sized += filler[generator() % filler.size()];
  }
  return sized;
}

std::shared_ptr<upstream> make_builtin_upstream(io_threads threads, builtin_options options) {
  return std::make_shared<builtin_upstream>(std::move(threads), options);
}

} // namespace lang_agent::http
