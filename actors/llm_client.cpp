#include "actors/llm_client.hpp"

#include "messages/protocol.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

namespace lang_agent {

namespace {

/// Turns the events of an exchange into messages.
class mailbox_listener final : public http::exchange_listener {
public:
  mailbox_listener(llm_client_actor to, turn_id id) : to_(std::move(to)), id_(id) {}

  void on_deltas(std::vector<choice_delta> deltas) override {
    caf::anon_send(to_, upstream_deltas{id_, std::move(deltas)});
  }

  void on_completed(answer result) override {
    caf::anon_send(to_, upstream_completed{id_, std::make_shared<answer>(std::move(result))});
  }

  void on_failed(failure why) override {
    caf::anon_send(to_, upstream_failed{id_, std::move(why)});
  }

private:
  llm_client_actor to_;
  turn_id id_;
};

struct llm_client_state {
  static inline const char* name = "lang_agent.llm_client";

  llm_client_actor::pointer self = nullptr;
  llm_pool_actor pool;
  std::shared_ptr<http::upstream> upstream;
  std::size_t credit = 0;
  order_ptr order;
  std::shared_ptr<http::exchange> exchange;

  ~llm_client_state() {
    if (exchange)
      exchange->cancel();
  }

  void on_order(order_ptr x) {
    order = std::move(x);
    exchange = upstream->start({order->parameters, order->prompt, order->request_id, credit},
                               std::make_shared<mailbox_listener>(self, order->id));
  }

  void on_cancelled(turn_id id) {
    if (!is_current(id))
      return;
    exchange->cancel();
    order->forget();
    finish();
  }

  void on_deltas(upstream_deltas& x) {
    if (is_current(x.id))
      caf::anon_send(order->requester,
                     answer_deltas{x.id, self, order->context, std::move(x.deltas)});
  }

  void on_credit(const credit_granted& x) {
    if (is_current(x.id))
      exchange->grant(x.bytes);
  }

  void on_completed(upstream_completed& x) {
    if (!is_current(x.id))
      return;
    order->complete(std::move(*x.result));
    finish();
  }

  void on_failed(upstream_failed& x) {
    if (!is_current(x.id))
      return;
    order->fail(std::move(x.why));
    finish();
  }

private:
  /// Events of an earlier exchange may still be in the mailbox.
  bool is_current(turn_id id) const {
    return order && order->id == id;
  }

  void finish() {
    const auto last = order->id;
    exchange.reset();
    order.reset();
    caf::anon_send(pool, llm_client_idle{self, last});
  }
};

llm_client_actor::behavior_type
llm_client(llm_client_actor::stateful_pointer<llm_client_state> self, const llm_pool_actor& pool,
           const std::shared_ptr<http::upstream>& upstream, std::size_t credit) {
  self->state.self = self;
  self->state.pool = pool;
  self->state.upstream = upstream;
  self->state.credit = credit;
  return {
      [self](order_ptr& x) { self->state.on_order(std::move(x)); },
      [self](const order_cancelled& x) { self->state.on_cancelled(x.id); },
      [self](const credit_granted& x) { self->state.on_credit(x); },
      [self](upstream_deltas& x) { self->state.on_deltas(x); },
      [self](upstream_completed& x) { self->state.on_completed(x); },
      [self](upstream_failed& x) { self->state.on_failed(x); },
  };
}

} // namespace

llm_client_actor spawn_llm_client(caf::actor_system& system, const llm_pool_actor& pool,
                                  std::shared_ptr<http::upstream> upstream, std::size_t credit) {
  return system.spawn(llm_client, pool, std::move(upstream), credit);
}

} // namespace lang_agent
