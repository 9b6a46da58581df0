/// The HTTP server and the upstream client against each other, on several threads, under load and
/// with clients that leave: what thread sanitizer is for. No CAF in here.
#include "http/responder.hpp"
#include "http/server.hpp"
#include "http/upstream.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include <spdlog/spdlog.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

using namespace lang_agent;
namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr int exchanges = 3000;
constexpr int concurrency = 64;
constexpr int pieces = 8;
constexpr int uploads = 200;
constexpr std::size_t upload_bytes = 300'000;

void require(bool condition, const char* what) {
  if (condition)
    return;
  std::fprintf(stderr, "FAILED: %s\n", what);
  std::_Exit(EXIT_FAILURE);
}

std::string event(const std::string& content, const char* finish) {
  return R"(data: {"choices":[{"index":0,"delta":{"content":")" + content + R"("},"finish_reason":)"
         + finish + "}]}\n\n";
}

/// Takes a body piece by piece, asking from whatever thread runs it, and answers with its size.
/// Answers some uploads in the middle, and drops some.
class upload : public http::response_listener, public std::enable_shared_from_this<upload> {
public:
  upload(asio::io_context& context, std::unique_ptr<http::responder> out, int number)
      : context_(context), out_(std::move(out)), number_(number) {}

  void start() {
    out_->listen(shared_from_this(), 1, 0ms);
    out_->read_body();
  }
  void on_drained(std::size_t) override {}
  void on_gone() override {
    asio::post(context_, [self = shared_from_this()] {
      const std::lock_guard lock{self->mutex_};
      self->out_.reset();
    });
  }
  void on_body(std::string piece, bool last) override {
    asio::post(context_, [self = shared_from_this(), n = piece.size(), last] {
      const std::lock_guard lock{self->mutex_};
      if (self->out_)
        self->take(n, last);
    });
  }

private:
  void take(std::size_t n, bool last) {
    bytes_ += n;
    if (number_ % 10 == 3 && bytes_ > upload_bytes / 2) {
      out_.reset();
    } else if (last || (number_ % 10 == 4 && bytes_ > upload_bytes / 2)) {
      http::response answer;
      answer.body = std::to_string(bytes_);
      out_->send(std::move(answer));
      out_.reset();
    } else {
      out_->read_body();
    }
  }

  asio::io_context& context_;
  std::mutex mutex_;
  std::unique_ptr<http::responder> out_;
  const int number_;
  std::size_t bytes_ = 0;
};

/// A model that says its pieces one by one from whatever thread runs it; hangs up on every 50th.
class echo_model : public http::service {
public:
  explicit echo_model(http::io_threads threads) : threads_(std::move(threads)) {}

  std::optional<http::response> admit(http::request_head& head) override {
    head.streams_body = head.path == "/upload";
    return std::nullopt;
  }

  void answered(const http::request_head&, http::response&) override {}

  void serve(http::request x, std::unique_ptr<http::responder> out) override {
    if (x.head.streams_body) {
      std::make_shared<upload>(threads_.here(), std::move(out), uploads_++)->start();
      return;
    }
    if (++served_ % 50 == 0)
      return; // dropped: the client gets a 500
    if (x.body.find(R"("stream":true)") == std::string::npos) {
      http::response plain;
      plain.body = R"({"choices":[{"index":0,"message":{"role":"assistant","content":"01234567"},)"
                   R"("finish_reason":"stop"}]})";
      out->send(std::move(plain));
      return;
    }
    auto state = std::make_shared<stream>();
    state->out = std::move(out);
    state->out->listen(std::make_shared<listener>(gone_), 1024, 0ms);
    http::response head;
    head.content_type = "text/event-stream";
    state->out->begin(std::move(head));
    say(state, 0);
  }

  std::atomic<int> gone_{0};

private:
  struct stream {
    std::unique_ptr<http::responder> out;
  };

  struct listener : http::response_listener {
    explicit listener(std::atomic<int>& count) : gone(count) {}
    void on_drained(std::size_t) override {}
    void on_gone() override {
      ++gone;
    }
    std::atomic<int>& gone;
  };

  void say(const std::shared_ptr<stream>& x, int piece) {
    asio::post(threads_[static_cast<std::size_t>(piece) % threads_.size()], [this, x, piece] {
      if (piece == pieces) {
        x->out->end(event("", "\"stop\"") + "data: [DONE]\n\n");
        return;
      }
      x->out->write(event(std::to_string(piece), "null"));
      say(x, piece + 1);
    });
  }

  http::io_threads threads_;
  std::atomic<int> served_{0};
  std::atomic<int> uploads_{0};
};

/// Runs exchanges, some of which it cancels, and counts how they end.
class load {
public:
  explicit load(std::shared_ptr<http::upstream> upstream) : upstream_(std::move(upstream)) {
    parameters_.model = "m";
    streaming_ = parameters_;
    streaming_.stream = true;
  }

  void run() {
    std::mt19937 random{3};
    for (int i = 0; i < exchanges; ++i) {
      wait_below(concurrency);
      const bool stream = random() % 2;
      const bool cancel = stream && random() % 10 == 0;
      start(stream, cancel);
    }
    wait_below(1);
  }

  std::atomic<int> completed{0};
  std::atomic<int> failed{0};
  std::atomic<int> cancelled{0};

private:
  struct listener : http::exchange_listener {
    listener(load& owner, bool cancels) : home(owner), cancel(cancels) {}
    void on_deltas(std::vector<choice_delta> deltas) override {
      for (const auto& x : deltas)
        text += x.content;
      std::size_t cost = 0;
      for (const auto& x : deltas)
        cost += x.cost();
      const std::lock_guard lock{home.mutex_};
      if (!running)
        return;
      if (cancel) {
        over = true; // what was under way may still come
        running->cancel();
        running.reset();
        ++home.cancelled;
        home.end_one();
      } else {
        running->grant(cost);
      }
    }
    void on_completed(answer result) override {
      require(result.choices.front().message.find("01234567") != std::string::npos,
              "an answer is whole");
      finish(home.completed);
    }
    void on_failed(failure) override {
      finish(home.failed);
    }
    void finish(std::atomic<int>& counter) {
      const std::lock_guard lock{home.mutex_};
      if (over)
        return;
      over = true;
      running.reset();
      ++counter;
      home.end_one();
    }
    load& home;
    bool cancel;
    bool over = false;
    std::string text;
    std::shared_ptr<http::exchange> running;
  };

  void start(bool stream, bool cancel) {
    auto x = std::make_shared<listener>(*this, cancel);
    const std::lock_guard lock{mutex_};
    ++running_;
    auto started = upstream_->start({stream ? streaming_ : parameters_, {}, request_id_, 300}, x);
    x->running = std::move(started);
  }

  /// With the lock held.
  void end_one() {
    --running_;
    changed_.notify_all();
  }

  void wait_below(int limit) {
    std::unique_lock lock{mutex_};
    require(changed_.wait_for(lock, 60s, [&] { return running_ < limit; }), "every exchange ends");
  }

  std::shared_ptr<http::upstream> upstream_;
  chat_parameters parameters_;
  chat_parameters streaming_;
  const std::string request_id_ = "req_1";
  std::mutex mutex_;
  std::condition_variable changed_;
  int running_ = 0;
};

/// Sends one body, and returns what the server says; leaves in the middle if it is to.
std::string send_upload(std::uint16_t port, bool leaves) {
  asio::io_context context;
  asio::ip::tcp::socket socket{context};
  socket.connect({asio::ip::make_address("127.0.0.1"), port});
  std::string body(leaves ? upload_bytes / 3 : upload_bytes, 'x');
  boost::system::error_code ec;
  asio::write(socket,
              asio::buffer("POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: "
                           + std::to_string(upload_bytes) + "\r\nConnection: close\r\n\r\n" + body),
              ec);
  std::string answer;
  char piece[4096];
  while (!leaves && !ec)
    answer.append(piece, socket.read_some(asio::buffer(piece), ec));
  return answer;
}

/// Several clients at once.
void run_uploads(std::uint16_t port) {
  std::atomic<int> started{0};
  std::atomic<int> whole{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i)
    clients.emplace_back([&] {
      for (int n = started++; n < uploads; n = started++) {
        const bool leaves = n % 10 == 7;
        const auto answer = send_upload(port, leaves);
        require(leaves || answer.starts_with("HTTP/1.1 "), "every upload is answered");
        if (answer.ends_with("\r\n\r\n" + std::to_string(upload_bytes)))
          ++whole;
      }
    });
  for (auto& x : clients)
    x.join();
  std::printf("%d of %d uploads came as a whole\n", whole.load(), uploads);
  require(whole > uploads / 2 && whole < uploads, "all kinds happened");
}

template <class Condition>
void wait_for(Condition done, const char* what) {
  for (int i = 0; i < 1000 && !done(); ++i)
    std::this_thread::sleep_for(10ms);
  require(done(), what);
}

} // namespace

int main() {
  spdlog::set_level(spdlog::level::off);
  std::array<asio::io_context, 4> contexts;
  std::vector<asio::io_context*> all;
  for (auto& x : contexts)
    all.push_back(&x);
  const http::io_threads on{all};
  auto model = std::make_shared<echo_model>(on);
  http::server_options options;
  options.host = "127.0.0.1";
  http::server server{on, options, model};
  server.start();
  http::upstream_options to;
  to.url = {false, "127.0.0.1", server.port(), "127.0.0.1", ""};
  std::vector<asio::executor_work_guard<http::executor>> work;
  std::vector<std::thread> threads;
  for (auto& x : contexts) {
    work.push_back(asio::make_work_guard(x));
    threads.emplace_back([&] { x.run(); });
  }

  auto upstream = http::make_openai_upstream(on, to);
  load l{upstream};
  l.run();
  std::printf("%d completed, %d failed, %d cancelled\n", l.completed.load(), l.failed.load(),
              l.cancelled.load());
  require(l.completed + l.failed + l.cancelled == exchanges, "each exchange ends once");
  require(l.completed > exchanges / 2 && l.failed > 0 && l.cancelled > 0, "all kinds happened");

  run_uploads(server.port());

  server.drain();
  wait_for([&] { return server.open_connections() == 0; }, "a drained server has no connections");
  for (auto& x : contexts)
    x.stop();
  for (auto& thread : threads)
    thread.join();
}
