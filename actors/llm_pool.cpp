#include "actors/llm_pool.hpp"

#include "actors/dispatcher.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <memory>

namespace lang_agent {

namespace {

struct llm_pool_state {
  static inline const char* name = "lang_agent.llm_pool";
  std::unique_ptr<dispatcher> orders;
};

llm_pool_actor::behavior_type llm_pool(llm_pool_actor::stateful_pointer<llm_pool_state> self,
                                       const llm_pool_options& options,
                                       const llm_client_factory& make) {
  self->state.orders = std::make_unique<dispatcher>(self, options, make);
  self->set_down_handler([self](const caf::down_msg& x) { self->state.orders->on_down(x); });
  return {
      [self](order_ptr& x) { self->state.orders->on_order(std::move(x)); },
      [self](const order_cancelled& x) { self->state.orders->on_cancelled(x); },
      [self](const llm_client_idle& x) { self->state.orders->on_idle(x); },
      [self](const attempt_begun& x) { self->state.orders->on_begun(x); },
      [self](attempt_failed& x) { self->state.orders->on_failed(x); },
      [self](retry_due x) { self->state.orders->on_retry(x.id); },
      [self](const upstream_probed& x) { self->state.orders->on_probed(x); },
      [self](queue_tick) { self->state.orders->on_tick(); },
  };
}

} // namespace

llm_pool_actor spawn_llm_pool(caf::actor_system& system, const llm_pool_options& options,
                              llm_client_factory make) {
  return system.spawn(llm_pool, options, std::move(make));
}

} // namespace lang_agent
