#include "messages/turn.hpp"

#include "messages/protocol.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include <atomic>

namespace lang_agent {

turn_id next_turn_id() {
  static std::atomic<turn_id> last{0};
  return ++last;
}

turn::turn(request_actor requester_handle)
    : id(next_turn_id()), requester(std::move(requester_handle)) {}

turn::~turn() {
  if (!settled_)
    fail(internal_failure());
}

void turn::settle(turn_outcome x) {
  settled_ = true;
  if (meter)
    meter->ended(x);
}

void turn::commit(turn_committed x) {
  settle(turn_outcome::answered);
  caf::anon_send(requester, std::move(x));
}

void turn::replay(std::shared_ptr<const std::string> json) {
  settle(turn_outcome::answered);
  caf::anon_send(requester, turn_replayed{std::move(json)});
}

void turn::fail(failure why) {
  settle(why.kind == error_kind::client_gone ? turn_outcome::cancelled : turn_outcome::failed);
  caf::anon_send(requester, turn_failed{std::move(why)});
}

llm_order::llm_order(turn_id order_id, conversation_actor customer_handle,
                     request_actor requester_handle)
    : id(order_id), customer(std::move(customer_handle)), requester(std::move(requester_handle)) {}

llm_order::~llm_order() {
  if (!settled_)
    fail(internal_failure());
}

void llm_order::complete(answer x, origin_ptr origin) {
  settled_ = true;
  caf::anon_send(customer,
                 order_completed{id, std::make_shared<answer>(std::move(x)), std::move(origin)});
}

void llm_order::fail(failure why) {
  settled_ = true;
  caf::anon_send(customer, order_failed{id, std::move(why), spent});
}

void llm_order::forget() {
  settled_ = true;
}

} // namespace lang_agent
