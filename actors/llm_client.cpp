#include "actors/llm_client.hpp"

#include "http/parameter_policy.hpp"
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
  upstream_list upstreams;
  std::size_t credit = 0;

  // Of the attempt under way.
  order_ptr order;
  origin_ptr origin;
  std::shared_ptr<http::exchange> exchange;
  std::chrono::steady_clock::time_point began = {};
  std::optional<std::chrono::nanoseconds> ttft;
  bool tells_first_token = false;

  ~llm_client_state() {
    if (exchange)
      exchange->cancel();
  }

  void on_attempt(llm_attempt& x) {
    order = std::move(x.order);
    began = std::chrono::steady_clock::now();
    ttft.reset();
    tells_first_token = x.tell_first_token;
    if (order->meter)
      order->meter->attempt_begins(order->prompt_tokens);
    const auto& target = (*upstreams)[x.upstream];
    if (!target.policy) {
      start(target, order->parameters, order->prompt, x.key, {});
      return;
    }
    const auto adapted = http::adapt(order->parameters, order->prompt, *target.policy);
    start(target, adapted.parameters, adapted.prompt, x.key, adapted.dropped);
  }

  void on_cancelled(turn_id id) {
    if (!is_current(id))
      return;
    exchange->cancel();
    order->forget();
    finish(false);
  }

  void on_deltas(upstream_deltas& x) {
    if (!is_current(x.id))
      return;
    if (!ttft)
      note_first_token();
    if (order->meter)
      for (const auto& delta : x.deltas)
        order->meter->answer_grows(delta.content.size() + delta.members.size());
    caf::anon_send(order->requester,
                   answer_deltas{x.id, self, order->context, std::move(x.deltas), origin});
  }

  void on_credit(const credit_granted& x) {
    if (is_current(x.id))
      exchange->grant(x.bytes);
  }

  void on_completed(upstream_completed& x) {
    if (!is_current(x.id))
      return;
    if (order->meter)
      order->meter->completed(x.result->usage);
    order->complete(std::move(*x.result), std::move(origin));
    finish(true);
  }

  void on_failed(upstream_failed& x) {
    if (!is_current(x.id))
      return;
    exchange.reset();
    if (order->meter && !ttft)
      order->meter->attempt_was_free();
    caf::anon_send(pool,
                   attempt_failed{self, std::move(order), std::move(x.why), ttft.has_value()});
  }

private:
  void note_first_token() {
    ttft = std::chrono::steady_clock::now() - began;
    if (tells_first_token)
      caf::anon_send(pool, attempt_begun{order->id, *ttft});
  }

  void start(const upstream_target& target, const chat_parameters& parameters,
             const message_list& prompt, std::size_t key, const std::string& dropped) {
    auto stations = order->stations;
    stations.asked = began;
    origin = std::make_shared<answer_origin>(
        answer_origin{target.name, order->spent.attempts, dropped, stations});
    exchange =
        target.http->start({parameters, prompt, order->request_id, credit, key, order->spent.ends},
                           std::make_shared<mailbox_listener>(self, order->id));
  }

  /// Events of an earlier exchange may still be in the mailbox.
  bool is_current(turn_id id) const {
    return order && order->id == id;
  }

  void finish(bool completed) {
    const auto last = order->id;
    exchange.reset();
    order.reset();
    caf::anon_send(pool, llm_client_idle{self, last, completed, ttft});
  }
};

llm_client_actor::behavior_type
llm_client(llm_client_actor::stateful_pointer<llm_client_state> self, const llm_pool_actor& pool,
           const upstream_list& upstreams, std::size_t credit) {
  self->state.self = self;
  self->state.pool = pool;
  self->state.upstreams = upstreams;
  self->state.credit = credit;
  return {
      [self](llm_attempt& x) { self->state.on_attempt(x); },
      [self](const order_cancelled& x) { self->state.on_cancelled(x.id); },
      [self](const credit_granted& x) { self->state.on_credit(x); },
      [self](upstream_deltas& x) { self->state.on_deltas(x); },
      [self](upstream_completed& x) { self->state.on_completed(x); },
      [self](upstream_failed& x) { self->state.on_failed(x); },
  };
}

} // namespace

llm_client_actor spawn_llm_client(caf::actor_system& system, const llm_pool_actor& pool,
                                  upstream_list upstreams, std::size_t credit) {
  return system.spawn(llm_client, pool, std::move(upstreams), credit);
}

} // namespace lang_agent
