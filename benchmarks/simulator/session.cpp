#include "benchmarks/simulator/session.hpp"

#include "benchmarks/simulator/answer.hpp"
#include "benchmarks/simulator/control.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <exception>
#include <memory>

namespace lang_agent::simulator {

using asio::awaitable;
namespace beast_http = boost::beast::http;

namespace {

using parser = beast_http::request_parser<beast_http::string_body>;

constexpr std::uint32_t most_head_bytes = 256 * 1024;
constexpr std::uint64_t most_body_bytes = 1024 * 1024 * 1024;

std::string to_string(boost::beast::string_view x) {
  return {x.data(), x.size()};
}

std::string bearer_key(const std::string& authorization) {
  constexpr std::string_view scheme = "bearer ";
  if (authorization.size() <= scheme.size()
      || !boost::beast::iequals({authorization.data(), scheme.size()},
                                {scheme.data(), scheme.size()}))
    return {};
  return authorization.substr(scheme.size());
}

request read_out(parser& from, std::uint64_t connection) {
  auto message = from.release();
  request out;
  out.connection = connection;
  out.method = to_string(message.method_string());
  const auto target = to_string(message.target());
  const auto mark = target.find('?');
  out.path = target.substr(0, mark);
  if (mark != std::string::npos)
    out.query = target.substr(mark + 1);
  out.key = bearer_key(to_string(message[beast_http::field::authorization]));
  out.request_id = to_string(message["x-request-id"]);
  out.keep_alive = message.keep_alive();
  out.body = std::move(message.body());
  return out;
}

class session {
public:
  session(asio::ip::tcp::socket socket, asio::ssl::context* tls, simulation& all)
      : client_(std::move(socket), tls),
        has_tls_(tls != nullptr),
        all_(all),
        number_(all.open_connection()) {}

  ~session() {
    all_.close_connection();
  }

  session(const session&) = delete;
  session& operator=(const session&) = delete;

  /// What a coroutine of a session ends with: a fault of ours must not leave a connection that
  /// nobody serves.
  static auto closing(std::shared_ptr<session> self) {
    return [self = std::move(self)](const std::exception_ptr& fault) {
      if (fault)
        self->client_.close();
    };
  }

  awaitable<void> run(std::shared_ptr<session> self) {
    co_await open();
    const auto executor = co_await asio::this_coro::executor;
    asio::co_spawn(executor, watch(self), closing(self));
    while (!client_.gone())
      co_await serve_one();
  }

private:
  static awaitable<void> watch(std::shared_ptr<session> self) {
    co_await self->client_.watch();
  }

  awaitable<void> open() {
    record event;
    event.fault = all_.connection_fault(number_);
    if (!event.fault) {
      co_await client_.handshake();
      co_return;
    }
    const auto begun = clock::now();
    if (has_tls_)
      co_await client_.spoil_handshake();
    else
      client_.close();
    event.connection = number_;
    event.result = outcome::tls_failure;
    all_.add_connection_event(std::move(event), begun);
  }

  awaitable<void> serve_one() {
    parser input;
    input.eager(true);
    input.header_limit(most_head_bytes);
    input.body_limit(most_body_bytes);
    co_await receive(input);
    if (client_.gone())
      co_return;
    const auto asked = read_out(input, number_);
    co_await answer(asked);
    if (!asked.keep_alive)
      client_.close();
  }

  /// A complete request, or the end of the connection.
  awaitable<void> receive(parser& input) {
    bool continued = false;
    while (!client_.gone()) {
      boost::system::error_code ec;
      const auto unread = client_.unread();
      if (!unread.empty())
        client_.take(input.put(asio::buffer(unread.data(), unread.size()), ec));
      if (input.is_done())
        co_return;
      if (ec && ec != beast_http::error::need_more) {
        const auto bytes = whole_answer(400, json_type, no_request(ec), false);
        co_await client_.send(bytes);
        client_.close();
        co_return;
      }
      if (wants_continue(input) && !std::exchange(continued, true))
        co_await client_.send("HTTP/1.1 100 Continue\r\n\r\n");
      co_await client_.more_input();
    }
  }

  static std::string no_request(const boost::system::error_code& ec) {
    return error_body("This is no HTTP request: " + ec.message(), "invalid_request_error");
  }

  static bool wants_continue(const parser& input) {
    return input.is_header_done()
           && boost::beast::iequals(input.get()[beast_http::field::expect], "100-continue");
  }

  /// An answer as the method wants it: HEAD gets no body.
  static std::string fitted(const request& asked, std::string bytes) {
    if (asked.method == "HEAD")
      bytes.resize(bytes.find("\r\n\r\n") + 4);
    return bytes;
  }

  awaitable<void> answer(const request& asked) {
    if (is_control(asked))
      co_await answer_control(asked);
    else if (asked.path.ends_with("/chat/completions"))
      co_await answer_chat_path(asked);
    else if (asked.method == "GET" && asked.path.ends_with("/models"))
      co_await client_.send(list_models(all_, asked));
    else
      co_await refuse(asked, 404, "unknown_url");
  }

  awaitable<void> answer_control(const request& asked) {
    const auto bytes = fitted(asked, control(all_, asked));
    co_await client_.send(bytes);
  }

  awaitable<void> answer_chat_path(const request& asked) {
    if (asked.method == "POST")
      co_await answer_chat(client_, all_, asked);
    else
      co_await refuse(asked, 405, "method_not_allowed");
  }

  /// A wrong address is worth a line in the log: whoever reads it looks for a request.
  awaitable<void> refuse(const request& asked, int status, std::string_view code) {
    const auto begun = clock::now();
    record line;
    line.n = all_.begin_invalid().n;
    line.connection = number_;
    line.path = asked.path;
    line.request_id = asked.request_id;
    line.key = asked.key;
    line.result = outcome::client_closed;
    const auto body = error_body("Invalid URL (" + asked.method + " " + asked.path + ")",
                                 "invalid_request_error", {}, code);
    const auto bytes = fitted(asked, whole_answer(status, json_type, body, asked.keep_alive));
    co_await client_.send(bytes);
    if (!client_.gone()) {
      line.status = status;
      line.result = outcome::refused;
    }
    all_.finish(std::move(line), begun);
  }

  client client_;
  const bool has_tls_;
  simulation& all_;
  const std::uint64_t number_;
};

} // namespace

void start_session(asio::ip::tcp::socket socket, asio::ssl::context* tls, simulation& all) {
  const auto executor = socket.get_executor();
  const auto x = std::make_shared<session>(std::move(socket), tls, all);
  asio::co_spawn(executor, x->run(x), session::closing(x));
}

} // namespace lang_agent::simulator
