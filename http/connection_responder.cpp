#include "http/connection_responder.hpp"

#include <boost/asio/post.hpp>

namespace lang_agent::http {

connection_responder::connection_responder(std::shared_ptr<connection> to,
                                           connection::request_number number)
    : to_(std::move(to)), number_(number) {}

connection_responder::~connection_responder() {
  if (!ended_)
    post([](connection& x) { x.abandon(); });
}

/// On the connection's thread, unless its request is over by then.
template <class Function>
void connection_responder::post(Function f) {
  boost::asio::post(to_->executor(), [to = to_, n = number_, f = std::move(f)]() mutable {
    if (to->is_current(n))
      f(*to);
  });
}

void connection_responder::listen(std::shared_ptr<response_listener> listener,
                                  std::size_t drain_step, std::chrono::milliseconds silence) {
  boost::asio::post(to_->executor(), [to = to_, n = number_, drain_step, silence,
                                      l = std::move(listener)]() mutable {
    if (to->is_current(n) && !to->client_has_gone())
      to->listen(std::move(l), drain_step, silence);
    else
      l->on_gone();
  });
}

void connection_responder::read_body() {
  post([](connection& x) { x.read_body(); });
}

void connection_responder::send(response x) {
  ended_ = true;
  post([x = std::move(x)](connection& to) mutable { to.send(std::move(x)); });
}

void connection_responder::begin(response x) {
  post([x = std::move(x)](connection& to) mutable { to.begin(std::move(x)); });
}

void connection_responder::write(std::string piece) {
  post([piece = std::move(piece)](connection& to) mutable { to.write(std::move(piece), false); });
}

void connection_responder::end(std::string piece) {
  ended_ = true;
  post([piece = std::move(piece)](connection& to) mutable { to.write(std::move(piece), true); });
}

} // namespace lang_agent::http
