#include "http/answer_reader.hpp"
#include "http/json.hpp"
#include "http/upstream.hpp"
#include "http/upstream_codec.hpp"
#include "http/upstream_link.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>

namespace lang_agent::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;

namespace {

constexpr std::size_t read_bytes = 4096;
/// After the last finish reason, how long [DONE] may take; after [DONE], the end of the body.
constexpr std::chrono::seconds tail_time{2};

/// One exchange over one link. Lives on the link's strand.
class openai_exchange final : public exchange,
                              public std::enable_shared_from_this<openai_exchange> {
public:
  openai_exchange(std::shared_ptr<link_pool> pool, const exchange_request& request,
                  std::shared_ptr<exchange_listener> listener)
      : pool_(std::move(pool)),
        listener_(std::move(listener)),
        request_id_(request.request_id),
        credit_(static_cast<std::int64_t>(request.credit)),
        expected_{request.parameters.stream, request.parameters.choices,
                  estimate_tokens(request.prompt), pool_->options.max_answer_bytes},
        ends_(clock::now() + pool_->options.total_timeout) {
    body_ = encode_upstream_request(request.parameters, request.prompt, pool_->options.model,
                                    pool_->options.replay_reasoning);
    make_head(request.key);
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

  void make_head(std::size_t key) {
    const auto& options = pool_->options;
    head_ = "POST " + options.url.path + "/chat/completions HTTP/1.1\r\nhost: "
            + options.url.authority + "\r\ncontent-type: application/json\r\naccept: "
            + (expected_.stream ? "text/event-stream" : "application/json")
            + "\r\nuser-agent: lang-agent\r\nx-request-id: " + request_id_ + "\r\n";
    if (key < options.api_keys.size())
      head_ += "authorization: Bearer " + options.api_keys[key] + "\r\n";
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
      fail({{error_kind::upstream_unreachable,
             "The upstream model cannot be reached. Please retry."},
            ec.message()});
      return;
    }
    send();
  }

  void send() {
    sent_ = false;
    set_deadline(pool_->options.first_token_timeout);
    reader_.emplace(expected_, pool_->secrets);
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
      set_deadline(pool_->options.first_token_timeout);
  }

  // -- receiving --------------------------------------------------------------------------------

  void read() {
    if (!link_ || reading_ || !reader_)
      return;
    if (credit_ <= 0 && listener_) {
      link_->expire_at(ends_); // the client is slow, not the upstream
      return;
    }
    reading_ = true;
    if (heard_)
      set_deadline(reader_->is_complete() ? tail_time : pool_->options.idle_timeout);
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
    if (auto bad = reader_->feed(input_, deltas_)) {
      fail(std::move(*bad));
      return;
    }
    deliver();
    if (!listener_ && reader_->is_done())
      release();
    else if (listener_ && (reader_->is_done() || reader_->said_done()))
      conclude(reader_->finish(deltas_));
    read(); // to the end of the body
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
    if (listener_)
      conclude(reader_->finish_cut(ec, deltas_));
    close();
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
    fail({{error_kind::upstream_error,
           "The upstream model closed the connection without an answer."},
          ec.message()});
  }

  void conclude(answer_reader::outcome outcome) {
    deliver();
    if (auto* bad = std::get_if<answer_reader::fault>(&outcome)) {
      fail(std::move(*bad));
      return;
    }
    if (const auto listener = std::move(listener_))
      listener->on_completed(std::move(std::get<answer>(outcome)));
    if (reader_->is_done())
      release();
    else
      set_deadline(tail_time);
  }

  void fail(answer_reader::fault fault) {
    auto& [why, detail] = fault;
    if (const auto listener = std::move(listener_)) {
      spdlog::warn("upstream failed name={} request={} code={} detail=\"{}\"", pool_->options.name,
                   request_id_, contract_of(why.kind).code, detail);
      listener->on_failed(std::move(why));
    }
    if (reader_ && reader_->is_done() && sent_)
      release();
    else
      close();
  }

  /// Gives the link back for the next exchange, if it can serve one.
  void release() {
    const bool reusable =
        sent_ && reader_->is_done() && reader_->keeps_alive() && input_.size() == 0 && !reading_;
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
    if (listener_ && reader_ && reader_->is_complete()) {
      conclude(reader_->finish(deltas_));
      close();
      return;
    }
    const char* what = !reader_ ? "connect" : !heard_ ? "first byte" : "next piece";
    failure why{error_kind::upstream_first_token_timeout,
                std::string{"The upstream model took too long: no "} + what + " in time."};
    if (clock::now() >= ends_)
      why.message = "The upstream model took too long for its whole answer.";
    fail({std::move(why), std::string{"timeout: "} + what});
  }

  std::shared_ptr<link_pool> pool_;
  std::shared_ptr<exchange_listener> listener_; ///< gone once it has heard the end
  std::string request_id_;
  std::int64_t credit_;
  answer_reader::expectation expected_;
  std::string head_;
  std::string body_;

  std::shared_ptr<upstream_link> link_; ///< gone once the exchange has ended
  std::optional<upstream_link::strand> strand_;
  bool reused_ = false;
  bool reading_ = false;
  bool sent_ = false;
  bool heard_ = false; ///< a byte of an answer has come

  beast::flat_buffer input_;
  std::optional<answer_reader> reader_; ///< once the request goes out
  std::vector<choice_delta> deltas_;
  clock::time_point ends_;
};

class openai_upstream final : public upstream {
public:
  openai_upstream(asio::io_context& context, upstream_options options)
      : pool_(std::make_shared<link_pool>(context, std::move(options))) {}

  ~openai_upstream() override {
    pool_->close();
  }

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
