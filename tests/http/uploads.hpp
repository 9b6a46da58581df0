/// A server whose service lets the test decide about each upload, and a client to it: plain bytes
/// over a socket. Every wait has an end.
#pragma once

#include "tests/test.hpp"

#include "http/responder.hpp"
#include "http/server.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include <poll.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace lang_agent::test {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr std::chrono::seconds patience{20};

/// One request with a streamed body, in the hands of the test.
class upload : public http::response_listener {
public:
  explicit upload(std::unique_ptr<http::responder> responder) : out(std::move(responder)) {}

  std::unique_ptr<http::responder> out;

  void on_drained(std::size_t bytes) override {
    change([&] { drained_ += bytes; });
  }
  void on_gone() override {
    change([&] { ++gone_; });
  }
  void on_silence() override {
    change([&] { ++silences_; });
  }
  void on_body(std::string text, bool last) override {
    change([&] { pieces_.emplace_back(std::move(text), last); });
  }

  using piece = std::pair<std::string, bool>;

  /// Asks for a piece and waits for it.
  piece next() {
    out->read_body();
    wait([&] { return !pieces_.empty(); });
    const std::lock_guard lock{mutex_};
    auto got = std::move(pieces_.front());
    pieces_.pop_front();
    return got;
  }

  /// Everything up to the last piece. All pieces are bounded, and none but the last is empty.
  std::string rest() {
    std::string body;
    for (bool last = false; !last;) {
      const auto [text, ends] = next();
      CAF_REQUIRE_LESS_OR_EQUAL(text.size(), std::size_t{64 * 1024});
      CAF_REQUIRE(ends || !text.empty());
      body += text;
      last = ends;
    }
    return body;
  }

  void answer(const std::string& text) {
    http::response x;
    x.body = text;
    out->send(std::move(x));
  }

  void wait_gone() {
    wait([&] { return gone_ > 0; });
  }
  void wait_drained(std::size_t bytes) {
    wait([&] { return drained_ >= bytes; });
  }
  /// So many more silences.
  void wait_silences(std::size_t n) {
    const auto before = silences();
    wait([&] { return silences_ >= before + n; });
  }
  std::size_t silences() {
    const std::lock_guard lock{mutex_};
    return silences_;
  }
  /// Events that the test did not take.
  std::size_t unexpected() {
    const std::lock_guard lock{mutex_};
    return pieces_.size() + gone_;
  }

private:
  template <class Change>
  void change(Change f) {
    const std::lock_guard lock{mutex_};
    f();
    changed_.notify_all();
  }

  template <class Condition>
  void wait(Condition done) {
    std::unique_lock lock{mutex_};
    if (!changed_.wait_for(lock, patience, done))
      CAF_FAIL("nothing happened");
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<piece> pieces_;
  std::size_t gone_ = 0;
  std::size_t drained_ = 0;
  std::size_t silences_ = 0;
};

/// Streams the bodies of /upload; answers everything else with its body.
class upload_service : public http::service {
public:
  std::chrono::milliseconds silence{0}; ///< see `http::responder::listen`

  std::optional<http::response> admit(http::request_head& head) override {
    head.streams_body = head.path == "/upload";
    return std::nullopt;
  }

  void answered(const http::request_head&, http::response&) override {}

  void serve(http::request x, std::unique_ptr<http::responder> out) override {
    if (!x.head.streams_body) {
      http::response answer;
      answer.body = "echo " + x.body;
      out->send(std::move(answer));
      return;
    }
    auto begun = std::make_shared<upload>(std::move(out));
    begun->out->listen(begun, 1, silence);
    const std::lock_guard lock{mutex_};
    all_.push_back(begun);
    begun_.push_back(std::move(begun));
    changed_.notify_all();
  }

  std::shared_ptr<upload> next_upload() {
    std::unique_lock lock{mutex_};
    if (!changed_.wait_for(lock, patience, [&] { return !begun_.empty(); }))
      CAF_FAIL("no upload began");
    auto out = std::move(begun_.front());
    begun_.pop_front();
    return out;
  }

  /// Uploads and connections hold each other up to an answer's end, and a context that is stopped
  /// does not come to it.
  void let_go() {
    const std::lock_guard lock{mutex_};
    for (const auto& x : all_)
      if (const auto alive = x.lock())
        alive->out.reset();
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<upload>> begun_;
  std::vector<std::weak_ptr<upload>> all_;
};

struct answer_bytes {
  int status = 0;
  std::string head;
  std::string body;

  bool closes() const {
    return head.find("connection: close") != std::string::npos;
  }
};

class client {
public:
  explicit client(std::uint16_t port) : socket_(context_) {
    socket_.connect({asio::ip::make_address("127.0.0.1"), port});
    socket_.set_option(tcp::no_delay{true});
  }

  void write(const std::string& bytes) {
    asio::write(socket_, asio::buffer(bytes));
  }

  /// As much as goes out before the socket makes us wait.
  std::size_t write_some(const std::string& bytes) {
    socket_.non_blocking(true);
    std::size_t sent = 0;
    while (sent < bytes.size() && ready(POLLOUT, 200)) {
      boost::system::error_code ec;
      sent += socket_.write_some(asio::buffer(bytes) + sent, ec);
    }
    socket_.non_blocking(false);
    return sent;
  }

  /// The next answer, by its length or its chunks. Interim ones count.
  answer_bytes read() {
    answer_bytes out;
    out.head = read_until("\r\n\r\n");
    out.status = std::stoi(out.head.substr(9, 3));
    if (const auto at = out.head.find("content-length: "); at != std::string::npos)
      out.body = read_bytes(std::stoul(out.head.substr(at + 16)));
    else if (out.head.find("chunked") != std::string::npos)
      out.body = read_until("0\r\n\r\n");
    return out;
  }

  /// Only the head of an answer, as to HEAD.
  std::string read_head() {
    return read_until("\r\n\r\n");
  }

  std::string read_bytes(std::size_t n) {
    while (received_.size() < n)
      if (!receive())
        CAF_FAIL("the answer is cut: " << received_);
    auto out = received_.substr(0, n);
    received_.erase(0, n);
    return out;
  }

  /// Whether the server closed its side without a reset, with nothing more sent.
  bool ends() {
    return received_.empty() && !receive();
  }

  void close() {
    socket_.close();
  }

  void reset() {
    socket_.set_option(asio::socket_base::linger{true, 0});
    socket_.close();
  }

private:
  bool ready(short event, int ms) {
    pollfd x{socket_.native_handle(), event, 0};
    return ::poll(&x, 1, ms) > 0;
  }

  /// False at the end of the stream.
  bool receive() {
    if (!ready(POLLIN, 1000 * static_cast<int>(patience.count())))
      CAF_FAIL("the server says nothing after: " << received_);
    char buffer[4096];
    boost::system::error_code ec;
    received_.append(buffer, socket_.read_some(asio::buffer(buffer), ec));
    if (ec && ec != asio::error::eof)
      CAF_FAIL("the connection broke: " << ec.message());
    return !ec;
  }

  std::string read_until(const std::string& mark) {
    while (received_.find(mark) == std::string::npos)
      if (!receive())
        CAF_FAIL("the answer is cut: " << received_);
    return read_bytes(received_.find(mark) + mark.size());
  }

  asio::io_context context_;
  tcp::socket socket_;
  std::string received_;
};

struct upload_fixture {
  upload_fixture() {
    options.host = "127.0.0.1";
    options.max_body_bytes = 1000; // counts for bodies that are not streamed only
  }

  ~upload_fixture() {
    server.reset();
    work.reset();
    context.stop();
    if (thread.joinable())
      thread.join();
    service->let_go();
  }

  client connect() {
    if (!server) {
      server = std::make_unique<http::server>(context, options, service);
      server->start();
      thread = std::thread{[this] { context.run(); }};
    }
    return client{server->port()};
  }

  void wait_closed() {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (server->open_connections() > 0 && std::chrono::steady_clock::now() < end)
      std::this_thread::yield();
    CAF_CHECK_EQUAL(server->open_connections(), 0u);
  }

  http::server_options options;
  asio::io_context context;
  asio::executor_work_guard<asio::io_context::executor_type> work = asio::make_work_guard(context);
  std::shared_ptr<upload_service> service = std::make_shared<upload_service>();
  std::unique_ptr<http::server> server;
  std::thread thread;
};

} // namespace lang_agent::test
