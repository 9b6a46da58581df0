#include "http/answer_stream.hpp"
#include "http/response_parser.hpp"
#include "http/sse_parser.hpp"
#include "http/upstream.hpp"
#include "http/upstream_codec.hpp"
#include "http/upstream_link.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>

#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>

namespace lang_agent::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;

namespace {

constexpr std::size_t read_bytes = 4096;
constexpr std::size_t max_error_body = 64 * 1024;
/// After the last finish reason, how long [DONE] may take; after [DONE], the end of the body.
constexpr std::chrono::seconds tail_time{2};

std::uint64_t estimated_tokens(const message_list& prompt) {
  std::uint64_t sum = 0;
  for (const auto& message : prompt)
    sum += message->tokens;
  return sum;
}

/// One exchange over one link. Lives on the link's strand.
class openai_exchange final : public exchange,
                              public std::enable_shared_from_this<openai_exchange> {
public:
  openai_exchange(std::shared_ptr<link_pool> pool, const exchange_request& request,
                  std::shared_ptr<exchange_listener> listener)
      : pool_(std::move(pool)),
        listener_(std::move(listener)),
        request_id_(request.request_id),
        stream_(request.parameters.stream),
        credit_(static_cast<std::int64_t>(request.credit)),
        prompt_tokens_(estimated_tokens(request.prompt)),
        answer_(pool_->options.max_answer_bytes, prompt_tokens_, request.parameters.choices,
                pool_->secrets),
        sse_(pool_->options.max_answer_bytes),
        ends_(clock::now() + pool_->options.total_timeout) {
    body_ = encode_upstream_request(request.parameters, request.prompt, pool_->options.model,
                                    pool_->options.replay_reasoning);
    make_head();
  }

  void start() {
    link_ = pool_->reuse();
    reused_ = link_ != nullptr;
    if (!link_)
      link_ = pool_->make(asio::make_strand(pool_->context));
    strand_ = link_->executor();
    asio::dispatch(*strand_, [self = shared_from_this()] { self->run(); });
  }

  void grant(std::size_t bytes) override {
    asio::post(*strand_, [self = shared_from_this(), bytes] {
      self->credit_ += static_cast<std::int64_t>(bytes);
      self->read();
    });
  }

  void cancel() override {
    asio::post(*strand_, [self = shared_from_this()] {
      self->listener_.reset();
      self->close();
    });
  }

private:
  // -- sending ----------------------------------------------------------------------------------

  void make_head() {
    const auto& options = pool_->options;
    head_ = "POST " + options.url.path + "/chat/completions HTTP/1.1\r\nhost: "
            + options.url.authority + "\r\ncontent-type: application/json\r\naccept: "
            + (stream_ ? "text/event-stream" : "application/json")
            + "\r\nuser-agent: lang-agent\r\nx-request-id: " + request_id_ + "\r\n";
    if (!options.api_key.empty())
      head_ += "authorization: Bearer " + options.api_key + "\r\n";
    head_ += "content-length: " + std::to_string(body_.size()) + "\r\n\r\n";
  }

  void run() {
    if (!link_ || !listener_)
      return; // cancelled before it began
    link_->on_deadline = [weak = weak_from_this()] {
      if (const auto self = weak.lock())
        self->deadline_passed();
    };
    if (reused_) {
      send();
      return;
    }
    set_deadline(pool_->options.connect_timeout);
    link_->connect([self = shared_from_this()](const error_code& ec) { self->on_connect(ec); });
  }

  void on_connect(const error_code& ec) {
    if (!link_)
      return;
    if (ec) {
      fail(
          {error_kind::upstream_unreachable, "The upstream model cannot be reached. Please retry."},
          ec.message());
      return;
    }
    send();
  }

  void send() {
    sent_ = false;
    set_deadline(pool_->options.first_byte_timeout);
    parser_.emplace([this](std::string_view piece) { on_body(piece); });
    link_->write({asio::buffer(head_), asio::buffer(body_)},
                 [self = shared_from_this(), link = link_](const error_code& ec, std::size_t) {
                   if (self->link_ == link)
                     self->on_sent(ec);
                 });
    read();
  }

  void on_sent(const error_code& ec) {
    sent_ = true;
    if (ec) {
      // An answer may have come all the same, e.g. a refusal: reading tells.
      if (!reading_)
        lost(ec);
      return;
    }
    if (!heard_)
      set_deadline(pool_->options.first_byte_timeout);
  }

  // -- receiving --------------------------------------------------------------------------------

  void read() {
    if (!link_ || reading_ || !parser_)
      return;
    if (credit_ <= 0 && listener_) {
      link_->expire_at(ends_); // the client is slow, not the upstream
      return;
    }
    reading_ = true;
    if (heard_)
      set_deadline(answer_.complete() ? tail_time : pool_->options.idle_timeout);
    link_->read(input_.prepare(read_bytes),
                [self = shared_from_this(), link = link_](const error_code& ec, std::size_t n) {
                  self->reading_ = false;
                  if (self->link_ == link)
                    self->on_read(ec, n);
                });
  }

  void on_read(const error_code& ec, std::size_t n) {
    if (ec) {
      on_end(ec);
      return;
    }
    heard_ = true;
    if (sent_)
      body_ = {}; // an open stream needs no memory for it
    input_.commit(n);
    if (!parse())
      return;
    deliver();
    if (parser_->is_done())
      on_answer_end();
    else if (listener_ && answer_.done())
      complete(); // and go on reading to the end of the body
    read();
  }

  /// False: the exchange has ended.
  bool parse() {
    while (input_.size() > 0 && !parser_->is_done()) {
      error_code ec;
      const auto used = parser_->put(input_.data(), ec);
      input_.consume(used);
      if (problem_) {
        fail(std::move(*problem_), "refused by the codec");
        return false;
      }
      if (ec == beast::http::error::need_more) {
        if (used == 0)
          break;
        continue;
      }
      if (ec) {
        fail(broken_http(), ec.message());
        return false;
      }
      if (parser_->is_done() && parser_->is_interim())
        parser_.emplace([this](std::string_view piece) { on_body(piece); });
    }
    return true;
  }

  static failure broken_http() {
    return {error_kind::upstream_error, "The upstream model sent a broken HTTP answer."};
  }

  void on_body(std::string_view piece) {
    if (problem_ || answer_.done())
      return;
    if (streams()) {
      const bool fits = sse_.feed(piece, [this](std::string_view data) { on_event(data); });
      if (!fits)
        problem_ = failure{error_kind::upstream_error,
                           "The upstream model sent an event that is too large."};
      return;
    }
    const auto limit = parser_->status() == 200 ? pool_->options.max_answer_bytes : max_error_body;
    if (whole_.size() + piece.size() <= limit)
      whole_ += piece;
    else if (parser_->status() == 200)
      problem_ = failure{error_kind::upstream_error, "The upstream model's answer is too long."};
  }

  void on_event(std::string_view data) {
    if (!problem_ && !answer_.done())
      problem_ = answer_.add(data, deltas_);
  }

  /// Whether the body is a stream of events that we asked for.
  bool streams() const {
    return stream_ && parser_->status() == 200 && parser_->is_event_stream();
  }

  void deliver() {
    if (deltas_.empty() || !listener_)
      return;
    for (const auto& delta : deltas_)
      credit_ -= static_cast<std::int64_t>(delta.cost());
    listener_->on_deltas(std::move(deltas_));
    deltas_.clear();
  }

  // -- ending -----------------------------------------------------------------------------------

  /// The connection ended, or broke.
  void on_end(const error_code& ec) {
    if (!heard_) {
      lost(ec);
      return;
    }
    error_code cut;
    if (ec == asio::error::eof && parser_->is_header_done())
      parser_->put_eof(cut);
    else
      cut = ec;
    if (!cut) {
      keep_ = false;
      on_answer_end();
      return;
    }
    if (parser_->is_header_done() && parser_->status() != 200) {
      keep_ = false;
      on_answer_end(); // what came of an error's body will do
      return;
    }
    // A stream that lacks only its end is complete.
    if (!streams() || !finish_stream())
      fail({error_kind::upstream_cut, "The upstream model's answer broke off."}, cut.message());
  }

  /// The connection was lost before the first byte of an answer.
  void lost(const error_code& ec) {
    if (reused_ && listener_) {
      // The upstream closed it while it was idle; that is no failure.
      reused_ = false;
      close();
      link_ = pool_->make(*strand_);
      run();
      return;
    }
    fail(
        {error_kind::upstream_error, "The upstream model closed the connection without an answer."},
        ec.message());
  }

  /// The body is read to its end.
  void on_answer_end() {
    if (!listener_) {
      release();
      return;
    }
    if (parser_->status() != 200) {
      auto why =
          decode_upstream_error(parser_->status(), whole_, parser_->retry_after(), pool_->secrets);
      fail(std::move(why), "HTTP " + std::to_string(parser_->status()));
      return;
    }
    if (streams()) {
      if (!finish_stream())
        fail({error_kind::upstream_cut, "The upstream model's answer broke off."},
             "the stream ended without a finish reason");
      return;
    }
    if (!parser_->is_json()) {
      fail({error_kind::upstream_error, "The upstream model sent an answer that is no JSON."},
           "content-type " + parser_->content_type());
      return;
    }
    finish_whole();
  }

  /// False: the stream is not complete.
  bool finish_stream() {
    // An event that lacks its blank line still counts; one that was cut in the middle does not.
    sse_.finish([this](std::string_view data) { on_event(data); });
    problem_.reset();
    deliver();
    if (!answer_.complete())
      return false;
    complete();
    return true;
  }

  void finish_whole() {
    if (stream_) {
      // An upstream that does not stream: its answer is one piece.
      if (auto why = answer_.add_whole(whole_, deltas_)) {
        fail(std::move(*why), "refused by the codec");
        return;
      }
      deliver();
      complete();
      return;
    }
    auto decoded = decode_answer(whole_, prompt_tokens_, pool_->secrets);
    if (auto* why = std::get_if<failure>(&decoded)) {
      fail(std::move(*why), "refused by the codec");
      return;
    }
    if (const auto listener = std::move(listener_))
      listener->on_completed(std::move(std::get<answer>(decoded)));
    release();
  }

  void complete() {
    if (!answer_.complete()) {
      fail({error_kind::upstream_error, "The upstream model sent an empty answer."}, "no choices");
      return;
    }
    if (const auto listener = std::move(listener_))
      listener->on_completed(answer_.finish());
    if (parser_->is_done())
      release();
    else
      set_deadline(tail_time);
  }

  void fail(failure why, const std::string& detail) {
    if (const auto listener = std::move(listener_)) {
      spdlog::warn("upstream failed name={} request={} code={} detail=\"{}\"", pool_->options.name,
                   request_id_, contract_of(why.kind).code, detail);
      listener->on_failed(std::move(why));
    }
    if (parser_ && parser_->is_done() && sent_)
      release();
    else
      close();
  }

  /// Gives the link back for the next exchange, if it can serve one.
  void release() {
    const bool reusable = keep_ && sent_ && parser_->is_done() && parser_->keep_alive()
                          && input_.size() == 0 && !reading_;
    if (!reusable || !link_) {
      close();
      return;
    }
    pool_->keep(std::move(link_));
    link_.reset();
  }

  void close() {
    if (const auto link = std::move(link_))
      link->close();
    link_.reset();
  }

  void set_deadline(std::chrono::milliseconds x) {
    if (link_)
      link_->expire_at(std::min(clock::now() + x, ends_));
  }

  void deadline_passed() {
    if (!link_)
      return;
    if (listener_ && answer_.complete()) {
      complete();
      close();
      return;
    }
    const char* what = !parser_ ? "connect" : !heard_ ? "first byte" : "next piece";
    fail({error_kind::upstream_timeout,
          clock::now() >= ends_
              ? std::string{"The upstream model took too long for its whole answer."}
              : std::string{"The upstream model took too long: no "} + what + " in time."},
         std::string{"timeout: "} + what);
  }

  std::shared_ptr<link_pool> pool_;
  std::shared_ptr<exchange_listener> listener_; ///< gone once it has heard the end
  std::string request_id_;
  bool stream_;
  std::int64_t credit_;
  std::uint64_t prompt_tokens_;
  std::string head_;
  std::string body_;

  std::shared_ptr<upstream_link> link_; ///< gone once the exchange has ended
  std::optional<upstream_link::strand> strand_;
  bool reused_ = false;
  bool reading_ = false;
  bool sent_ = false;
  bool heard_ = false; ///< a byte of an answer has come
  bool keep_ = true;

  beast::flat_buffer input_;
  std::optional<response_parser> parser_;
  answer_stream answer_;
  sse_parser sse_;
  std::string whole_; ///< a body that is no stream of events
  std::vector<choice_delta> deltas_;
  std::optional<failure> problem_;
  clock::time_point ends_;
};

class openai_upstream final : public upstream {
public:
  openai_upstream(asio::io_context& context, upstream_options options)
      : pool_(std::make_shared<link_pool>(context, std::move(options))) {}

  std::shared_ptr<exchange> start(const exchange_request& request,
                                  std::shared_ptr<exchange_listener> listener) override {
    auto out = std::make_shared<openai_exchange>(pool_, request, std::move(listener));
    out->start();
    return out;
  }

private:
  std::shared_ptr<link_pool> pool_;
};

} // namespace

std::shared_ptr<upstream> make_openai_upstream(asio::io_context& context,
                                               upstream_options options) {
  return std::make_shared<openai_upstream>(context, std::move(options));
}

} // namespace lang_agent::http
