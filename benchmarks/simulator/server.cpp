#include "benchmarks/simulator/server.hpp"

#include "benchmarks/simulator/session.hpp"
#include "config/loader.hpp"
#include "config/units.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <algorithm>
#include <csignal>
#include <deque>
#include <thread>
#include <vector>

namespace lang_agent::simulator {

using asio::ip::tcp;
using boost::system::error_code;

namespace {

/// After an error of accept: no descriptors left, say.
constexpr std::chrono::milliseconds accept_pause{100};

tcp::endpoint resolve(asio::io_context& context, const std::string& listen) {
  const auto address = parse_listen(listen);
  if (!address)
    throw config_error{"cannot listen on \"" + listen + "\": say an address with a port"};
  tcp::resolver resolver{context};
  const auto found =
      resolver.resolve(address->host, std::to_string(address->port), tcp::resolver::passive);
  // A name like "localhost" has several addresses: IPv4 first, as most clients try it.
  const auto v4 = std::find_if(found.begin(), found.end(),
                               [](const auto& x) { return x.endpoint().address().is_v4(); });
  return (v4 != found.end() ? v4 : found.begin())->endpoint();
}

/// Each connection stays on one thread, so each thread has a context of its own.
std::deque<asio::io_context> make_contexts(std::size_t count) {
  std::deque<asio::io_context> out;
  for (std::size_t i = 0; i < std::max<std::size_t>(count, 1); ++i)
    out.emplace_back(1);
  return out;
}

} // namespace

class server::impl {
public:
  explicit impl(const server_options& options)
      : all_(options.simulated, options.print),
        contexts_(make_contexts(options.threads)),
        acceptor_(contexts_.front(), resolve(contexts_.front(), options.simulated.listen)),
        pause_(contexts_.front()),
        on_stop_(options.on_stop),
        signals_(signal_context_, SIGTERM, SIGINT) {
    acceptor_.listen(asio::socket_base::max_listen_connections);
    if (options.tls_certificate.empty())
      return;
    tls_.emplace(asio::ssl::context::tls_server);
    tls_->use_certificate_chain_file(options.tls_certificate);
    tls_->use_private_key_file(options.tls_key, asio::ssl::context::pem);
  }

  std::string url() const {
    const auto endpoint = acceptor_.local_endpoint();
    const auto host = endpoint.address().to_string();
    return (tls_ ? "https://" : "http://") + (endpoint.address().is_v6() ? "[" + host + "]" : host)
           + ":" + std::to_string(endpoint.port());
  }

  void run() {
    signals_.async_wait([this](const error_code& ec, int) {
      if (!ec)
        stop();
    });
    // Apart: the other threads may wait for whoever reads the log.
    const std::jthread signal_thread{[this] { signal_context_.run(); }};
    accept();
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < contexts_.size(); ++i)
      others.emplace_back([this, i] {
        // Until the first connection there is nothing to do, which is no reason to end.
        const auto work = asio::make_work_guard(contexts_[i]);
        contexts_[i].run();
      });
    contexts_.front().run();
    signal_context_.stop();
  }

private:
  void stop() {
    if (on_stop_)
      on_stop_();
    for (auto& context : contexts_)
      context.stop();
  }

  void accept() {
    auto& context = contexts_[next_++ % contexts_.size()];
    acceptor_.async_accept(context, [this, &context](const error_code& ec, tcp::socket socket) {
      if (ec) {
        accept_later();
        return;
      }
      // From here on, the socket is its own thread's.
      asio::post(context, [this, x = std::move(socket)]() mutable {
        start_session(std::move(x), tls_ ? &*tls_ : nullptr, all_);
      });
      accept();
    });
  }

  void accept_later() {
    pause_.expires_after(accept_pause);
    pause_.async_wait([this](const error_code& ec) {
      if (!ec)
        accept();
    });
  }

  simulation all_; ///< outlives the contexts, which hold what is left of the sessions
  std::optional<asio::ssl::context> tls_;
  std::deque<asio::io_context> contexts_;
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  std::function<void()> on_stop_;
  asio::io_context signal_context_{1};
  asio::signal_set signals_;
  std::size_t next_ = 0;
};

server::server(const server_options& options) : impl_(std::make_unique<impl>(options)) {}

server::~server() = default;

std::string server::url() const {
  return impl_->url();
}

void server::run() {
  impl_->run();
}

} // namespace lang_agent::simulator
