/// A connection as the actors see it: what it was told, and its own events.
#pragma once

#include "http/responder.hpp"

#include <memory>
#include <string>
#include <vector>

namespace lang_agent::test {

struct connection_record {
  std::vector<http::response> sent;
  std::vector<http::response> begun;
  std::string stream;
  bool ended = false;
  bool dropped = false;
  std::size_t drain_step = 0;
  std::chrono::milliseconds silence{0};
  std::size_t reads = 0; ///< pieces of the body that were asked for
  std::shared_ptr<http::response_listener> listener;
};

class recording_responder final : public http::responder {
public:
  explicit recording_responder(std::shared_ptr<connection_record> to) : to_(std::move(to)) {}
  ~recording_responder() override {
    to_->dropped = true;
  }
  void listen(std::shared_ptr<http::response_listener> listener, std::size_t step,
              std::chrono::milliseconds silence) override {
    to_->listener = std::move(listener);
    to_->drain_step = step;
    to_->silence = silence;
  }
  void read_body() override {
    ++to_->reads;
  }
  void send(http::response x) override {
    to_->sent.push_back(std::move(x));
  }
  void begin(http::response x) override {
    to_->stream += x.body;
    to_->begun.push_back(std::move(x));
  }
  void write(std::string piece) override {
    to_->stream += piece;
  }
  void end(std::string piece) override {
    to_->stream += piece;
    to_->ended = true;
  }

private:
  std::shared_ptr<connection_record> to_;
};

} // namespace lang_agent::test
