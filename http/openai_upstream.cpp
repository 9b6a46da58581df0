#include "http/answer_reader.hpp"
#include "http/exchange_clock.hpp"
#include "http/json.hpp"
#include "http/link_pool.hpp"
#include "http/upstream.hpp"
#include "http/upstream_codec.hpp"
#include "http/upstream_fault.hpp"
#include "http/upstream_probe.hpp"
#include "http/upstream_request.hpp"

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

/// After the last finish reason, how long [DONE] may take; after [DONE], the end of the body.
constexpr std::chrono::seconds tail_time{2};

exchange_clock::limits limits_of(const upstream_options& options, const exchange_request& request) {
  return {request.parameters.stream ? options.first_token_timeout : options.answer_timeout,
          options.idle_timeout, tail_time,
          std::min(request.ends, clock::now() + options.total_timeout)};
}

/// One exchange over one link. Lives on the link's thread.
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
        limits_(limits_of(pool_->options, request)),
        clock_(limits_) {
    const auto& options = pool_->options;
    body_ = encode_upstream_request(request.parameters, request.prompt,
                                    upstream_model(options, request.parameters.model),
                                    options.replay_reasoning);
    head_ = upstream_head(options, "POST", "/chat/completions", request.key)
            + "content-type: application/json\r\naccept: "
            + (expected_.stream ? "text/event-stream" : "application/json") + "\r\nx-request-id: "
            + request_id_ + "\r\ncontent-length: " + std::to_string(body_.size()) + "\r\n\r\n";
  }

  void start() {
    link_ = pool_->reuse();
    reused_ = link_ != nullptr;
    if (!link_)
      link_ = pool_->make(pool_->threads.here().get_executor());
    home_ = link_->executor();
    asio::dispatch(*home_, [self = shared_from_this()] { self->run(); });
  }

  void grant(std::size_t bytes) override {
    asio::post(*home_, [self = shared_from_this(), bytes] {
      self->credit_ += static_cast<std::int64_t>(bytes);
      self->read();
    });
  }

  void cancel() override {
    asio::post(*home_, [self = shared_from_this()] {
      self->listener_.reset();
      self->close();
    });
  }

private:
  // -- sending ----------------------------------------------------------------------------------

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
    link_->connect(limits_.ends, [self = shared_from_this()](std::optional<upstream_fault> fault) {
      self->on_connect(std::move(fault));
    });
  }

  void on_connect(std::optional<upstream_fault> fault) {
    if (fault)
      fail(std::move(*fault));
    else
      send();
  }

  void send() {
    sent_ = false;
    reader_.emplace(expected_, pool_->secrets);
    progress_ = 0;
    on_sending();
    link_->write(
        {asio::buffer(head_), asio::buffer(body_)},
        [self = shared_from_this(), link = link_] {
          if (self->link_ == link)
            self->on_sending();
        },
        [self = shared_from_this(), link = link_](const error_code& ec, std::size_t) {
          if (self->link_ == link)
            self->on_sent(ec);
        });
    read();
  }

  void on_sending() {
    clock_.sending(clock::now());
    watch();
  }

  void on_sent(const error_code& ec) {
    sent_ = !ec;
    // If it broke, reading tells, now or when there is credit again: an answer may have come all
    // the same, e.g. a refusal.
    if (!ec)
      on_sending();
  }

  // -- receiving --------------------------------------------------------------------------------

  void read() {
    if (!link_ || reading_ || !reader_)
      return;
    if (credit_ <= 0 && listener_) {
      clock_.pause();
      watch();
      return;
    }
    reading_ = true;
    clock_.resume(clock::now());
    watch();
    link_->read(
        [self = shared_from_this(), link = link_](const error_code& ec, std::string_view bytes) {
          self->reading_ = false;
          if (self->link_ == link)
            self->on_read(ec, bytes);
        });
  }

  void on_read(const error_code& ec, std::string_view bytes) {
    if (ec) {
      on_end(ec);
      return;
    }
    heard_ = true;
    input_.commit(asio::buffer_copy(input_.prepare(bytes.size()), asio::buffer(bytes)));
    if (auto bad = reader_->feed(input_, deltas_)) {
      fail(std::move(*bad));
      return;
    }
    if (reused_ && listener_ && reader_->gave_up_waiting()) {
      begin_anew();
      return;
    }
    // An open stream needs no memory for what was read and sent.
    input_.shrink_to_fit();
    if (sent_)
      head_ = body_ = {};
    note_progress();
    deliver();
    if (!listener_ && reader_->is_done())
      release();
    else if (listener_ && (reader_->is_done() || reader_->said_done()))
      conclude(reader_->finish(deltas_));
    read(); // to the end of the body
  }

  /// Of a stream, deltas count and not bytes: comments and empty events may come for ever. So may
  /// interim answers before a plain one.
  void note_progress() {
    if (reader_->is_complete())
      clock_.complete(clock::now());
    else if (expected_.stream ? reader_->progress() != progress_ : reader_->has_begun())
      clock_.progress(clock::now());
    progress_ = reader_->progress();
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
    if (reused_ && !heard_ && listener_)
      begin_anew();
    else
      fail(no_answer(ec.message()));
  }

  /// The upstream gave the link up while it was idle, which is no failure: the request goes out
  /// over a new one. Only while nothing of an answer has reached the listener.
  void begin_anew() {
    reused_ = false;
    heard_ = false;
    input_.clear();
    reader_.reset(); // credit that comes while connecting must not start a read
    close();
    link_ = pool_->make(*home_);
    run();
  }

  void conclude(answer_reader::outcome outcome) {
    deliver();
    if (auto* bad = std::get_if<upstream_fault>(&outcome)) {
      fail(std::move(*bad));
      return;
    }
    if (const auto listener = std::move(listener_))
      listener->on_completed(std::move(std::get<answer>(outcome)));
    if (reader_->is_done())
      release();
  }

  void fail(upstream_fault fault) {
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

  void watch() {
    if (link_)
      link_->expire_at(clock_.deadline());
  }

  void deadline_passed() {
    if (!link_)
      return;
    if (listener_ && reader_->is_complete()) {
      conclude(reader_->finish(deltas_));
      close();
      return;
    }
    fail(too_late(clock_.meaning(clock::now())));
  }

  std::shared_ptr<link_pool> pool_;
  std::shared_ptr<exchange_listener> listener_; ///< gone once it has heard the end
  std::string request_id_;
  std::int64_t credit_;
  answer_reader::expectation expected_;
  exchange_clock::limits limits_;
  exchange_clock clock_; ///< once there is a connection
  std::string head_;
  std::string body_;

  std::shared_ptr<upstream_link> link_; ///< gone once the exchange has ended
  std::optional<http::executor> home_;
  bool reused_ = false;
  bool reading_ = false;
  bool sent_ = false;  ///< the whole request
  bool heard_ = false; ///< a byte of an answer has come

  beast::flat_buffer input_;
  std::optional<answer_reader> reader_; ///< once the request goes out
  std::uint64_t progress_ = 0;          ///< of the reader
  std::vector<choice_delta> deltas_;
};

class openai_upstream final : public upstream {
public:
  openai_upstream(io_threads threads, upstream_options options)
      : pool_(std::make_shared<link_pool>(std::move(threads), std::move(options))) {}

  ~openai_upstream() override {
    pool_->close();
  }

  std::shared_ptr<exchange> start(const exchange_request& request,
                                  std::shared_ptr<exchange_listener> listener) override {
    auto out = std::make_shared<openai_exchange>(pool_, request, std::move(listener));
    out->start();
    return out;
  }

  void probe(std::function<void(bool)> done) override {
    start_probe(pool_, std::move(done));
  }

private:
  std::shared_ptr<link_pool> pool_;
};

} // namespace

std::shared_ptr<upstream> make_openai_upstream(io_threads threads, upstream_options options) {
  return std::make_shared<openai_upstream>(std::move(threads), std::move(options));
}

} // namespace lang_agent::http
