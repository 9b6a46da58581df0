/// The events of a connection as messages to the actor that answers its request.
#pragma once

#include "http/responder.hpp"
#include "messages/protocol.hpp"

#include <caf/send.hpp>

#include <utility>

namespace lang_agent {

template <class Handle>
class mailbox_listener : public http::response_listener {
public:
  explicit mailbox_listener(Handle to) : to_(std::move(to)) {}

  void on_drained(std::size_t bytes) override {
    caf::anon_send(to_, stream_drained{bytes});
  }

  void on_gone() override {
    caf::anon_send(to_, client_gone{});
  }

protected:
  const Handle to_;
};

/// The request for a turn may break the silence of its answer.
class answer_listener final : public mailbox_listener<request_actor> {
public:
  using mailbox_listener::mailbox_listener;

  void on_silence() override {
    caf::anon_send(to_, stream_silent{});
  }
};

} // namespace lang_agent
