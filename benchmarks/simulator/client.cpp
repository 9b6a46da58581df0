#include "benchmarks/simulator/client.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <linux/sockios.h>
#include <sys/ioctl.h>

namespace lang_agent::simulator {

using boost::system::error_code;

namespace {

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t small_piece = 4 * 1024; // most connections wait most of the time
constexpr std::size_t large_piece = 64 * 1024;
constexpr std::size_t most_unread = 1024 * 1024;
constexpr auto never = std::chrono::steady_clock::time_point::max();

} // namespace

client::client(asio::ip::tcp::socket socket, asio::ssl::context* tls)
    : socket_(std::move(socket)), wakeup_(socket_.get_executor()), room_(socket_.get_executor()) {
  error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay{true}, ignored);
  if (tls)
    tls_.emplace(socket_, *tls);
}

asio::awaitable<void> client::handshake() {
  if (!tls_)
    co_return;
  const auto [ec] = co_await tls_->async_handshake(asio::ssl::stream_base::server, as_result);
  if (ec)
    close();
}

asio::awaitable<void> client::spoil_handshake() {
  piece_.resize(large_piece);
  // What has come is read first: closing on unread bytes would send RST and lose the answer.
  co_await socket_.async_read_some(asio::buffer(piece_), as_result);
  static constexpr std::string_view words = "This is not TLS.\r\n";
  co_await asio::async_write(socket_, asio::buffer(words), as_result);
  close();
}

asio::awaitable<void> client::watch() {
  piece_.resize(small_piece);
  while (!gone_) {
    if (unread_.size() >= most_unread) {
      room_.expires_at(never);
      co_await room_.async_wait(as_result);
      continue;
    }
    error_code problem;
    std::size_t size = 0;
    if (tls_) {
      const auto [ec, n] = co_await tls_->async_read_some(asio::buffer(piece_), as_result);
      problem = ec;
      size = n;
    } else {
      const auto [ec, n] = co_await socket_.async_read_some(asio::buffer(piece_), as_result);
      problem = ec;
      size = n;
    }
    unread_.append(piece_, 0, size);
    if (size == piece_.size())
      piece_.resize(large_piece);
    if (problem)
      close();
    wakeup_.cancel();
  }
}

void client::take(std::size_t bytes) {
  unread_.erase(0, bytes);
  if (unread_.empty())
    unread_.shrink_to_fit();
  room_.cancel();
}

asio::awaitable<void> client::more_input() {
  const auto before = unread_.size();
  while (!gone_ && unread_.size() == before) {
    wakeup_.expires_at(never);
    co_await wakeup_.async_wait(as_result);
  }
}

asio::awaitable<void> client::pause_until(std::chrono::steady_clock::time_point t) {
  while (!gone_ && std::chrono::steady_clock::now() < t) {
    wakeup_.expires_at(t);
    co_await wakeup_.async_wait(as_result);
  }
}

asio::awaitable<void> client::silence() {
  co_await pause_until(never);
}

asio::awaitable<void> client::send(std::string_view bytes) {
  if (gone_)
    co_return;
  error_code problem;
  if (tls_) {
    const auto [ec, n] = co_await asio::async_write(*tls_, asio::buffer(bytes), as_result);
    problem = ec;
  } else {
    const auto [ec, n] = co_await asio::async_write(socket_, asio::buffer(bytes), as_result);
    problem = ec;
  }
  if (problem)
    close();
}

asio::awaitable<void> client::deliver() {
  constexpr auto patience = std::chrono::seconds{2};
  const auto limit = std::chrono::steady_clock::now() + patience;
  while (!gone_ && std::chrono::steady_clock::now() < limit) {
    int unsent = 0;
    if (::ioctl(socket_.native_handle(), SIOCOUTQ, &unsent) != 0 || unsent == 0)
      co_return;
    co_await pause_until(std::chrono::steady_clock::now() + std::chrono::milliseconds{1});
  }
}

void client::close() {
  error_code ignored;
  if (!gone_)
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  end();
}

void client::reset() {
  error_code ignored;
  socket_.set_option(asio::socket_base::linger{true, 0}, ignored);
  end();
}

void client::end() {
  gone_ = true;
  error_code ignored;
  socket_.close(ignored);
  wakeup_.cancel();
  room_.cancel();
}

} // namespace lang_agent::simulator
