/// Answers one request of a connection, from any thread. Private to the connection.
#pragma once

#include "http/connection.hpp"

#include <memory>

namespace lang_agent::http {

class connection_responder final : public responder {
public:
  connection_responder(std::shared_ptr<connection> to, connection::request_number number);

  /// Its death is an answer, too.
  ~connection_responder() override;

  void listen(std::shared_ptr<response_listener> listener, std::size_t drain_step,
              std::chrono::milliseconds silence) override;
  void read_body() override;
  void send(response x) override;
  void begin(response x) override;
  void write(std::string piece) override;
  void end(std::string piece) override;

private:
  template <class Function>
  void post(Function f);

  std::shared_ptr<connection> to_;
  const connection::request_number number_;
  bool ended_ = false;
};

} // namespace lang_agent::http
