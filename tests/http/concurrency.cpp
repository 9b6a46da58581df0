/// The HTTP server and the upstream client against each other, on several threads, under load and
/// with clients that leave: what thread sanitizer is for. No CAF in here.
#include "http/responder.hpp"
#include "http/server.hpp"
#include "http/upstream.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <spdlog/spdlog.h>

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

/// A model that says its pieces one by one from whatever thread runs it; hangs up on every 50th.
class echo_model : public http::service {
public:
  explicit echo_model(asio::io_context& context) : context_(context) {}

  std::optional<http::response> admit(http::request_head&) override {
    return std::nullopt;
  }

  void answered(const http::request_head&, int) override {}

  void serve(http::request x, std::unique_ptr<http::responder> out) override {
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
    state->out->listen(std::make_shared<listener>(gone_), 1024);
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
    asio::post(context_, [this, x, piece] {
      if (piece == pieces) {
        x->out->end(event("", "\"stop\"") + "data: [DONE]\n\n");
        return;
      }
      x->out->write(event(std::to_string(piece), "null"));
      say(x, piece + 1);
    });
  }

  asio::io_context& context_;
  std::atomic<int> served_{0};
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

template <class Condition>
void wait_for(Condition done, const char* what) {
  for (int i = 0; i < 1000 && !done(); ++i)
    std::this_thread::sleep_for(10ms);
  require(done(), what);
}

} // namespace

int main() {
  spdlog::set_level(spdlog::level::off);
  asio::io_context context{4};
  auto model = std::make_shared<echo_model>(context);
  http::server_options options;
  options.host = "127.0.0.1";
  http::server server{context, options, model};
  server.start();
  http::upstream_options to;
  to.url = {false, "127.0.0.1", server.port(), "127.0.0.1", ""};
  auto work = asio::make_work_guard(context);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] { context.run(); });

  auto upstream = http::make_openai_upstream(context, to);
  load l{upstream};
  l.run();
  std::printf("%d completed, %d failed, %d cancelled\n", l.completed.load(), l.failed.load(),
              l.cancelled.load());
  require(l.completed + l.failed + l.cancelled == exchanges, "each exchange ends once");
  require(l.completed > exchanges / 2 && l.failed > 0 && l.cancelled > 0, "all kinds happened");

  server.drain();
  wait_for([&] { return server.open_connections() == 0; }, "a drained server has no connections");
  work.reset();
  context.stop();
  for (auto& thread : threads)
    thread.join();
}
