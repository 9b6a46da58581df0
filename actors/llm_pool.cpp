#include "actors/llm_pool.hpp"

#include "messages/protocol.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <spdlog/spdlog.h>

#include <algorithm>
#include <deque>
#include <unordered_map>
#include <vector>

namespace lang_agent {

namespace {

constexpr std::chrono::seconds tick_interval{1};
/// Idle clients above this number end: a burst leaves no thousands of actors behind.
constexpr std::size_t max_idle = 256;

failure overloaded(error_kind kind) {
  failure out{kind, "The server is overloaded: too many turns are waiting for the model."};
  out.retry_after = "1";
  return out;
}

struct llm_pool_state {
  static inline const char* name = "lang_agent.llm_pool";

  llm_pool_actor::pointer self = nullptr;
  llm_pool_options options;
  llm_client_factory make;
  std::unordered_map<caf::actor_id, llm_client_actor> clients;
  std::vector<llm_client_actor> idle; ///< the last used at the end
  std::unordered_map<turn_id, llm_client_actor> running;
  std::deque<order_ptr> waiting;
  bool ticking = false;

  ~llm_pool_state() {
    for (const auto& [id, client] : clients)
      caf::anon_send_exit(client, caf::exit_reason::user_shutdown);
  }

  void on_order(order_ptr order) {
    if (waiting.empty() && has_free_client()) {
      assign(std::move(order));
      return;
    }
    if (waiting.size() >= options.max_waiting) {
      order->fail(overloaded(error_kind::overloaded));
      return;
    }
    order->queued = self->clock().now();
    waiting.push_back(std::move(order));
    watch_queue();
  }

  void on_cancelled(const order_cancelled& x) {
    if (const auto found = running.find(x.id); found != running.end()) {
      caf::anon_send(found->second, x);
      return;
    }
    const auto found = std::find_if(waiting.begin(), waiting.end(),
                                    [&](const order_ptr& y) { return y->id == x.id; });
    if (found != waiting.end()) {
      (*found)->forget();
      waiting.erase(found);
    }
  }

  void on_idle(const llm_client_idle& x) {
    // The order's customer may have ordered again meanwhile.
    if (const auto found = running.find(x.last);
        found != running.end() && found->second == x.client)
      running.erase(found);
    if (idle.size() >= max_idle && waiting.empty()) {
      clients.erase(x.client.id());
      caf::anon_send_exit(x.client, caf::exit_reason::user_shutdown);
      return;
    }
    idle.push_back(x.client);
    serve_waiting();
  }

  void on_down(const caf::down_msg& x) {
    const auto id = x.source.id();
    if (clients.erase(id) == 0)
      return; // it was let go
    spdlog::error("LLM client ended unexpectedly");
    const auto is_it = [&](const llm_client_actor& y) { return y.id() == id; };
    idle.erase(std::remove_if(idle.begin(), idle.end(), is_it), idle.end());
    std::erase_if(running, [&](const auto& entry) { return is_it(entry.second); });
    serve_waiting();
  }

  void on_tick() {
    ticking = false;
    const auto oldest = self->clock().now() - options.wait_timeout;
    while (!waiting.empty() && waiting.front()->queued <= oldest) {
      waiting.front()->fail(overloaded(error_kind::queue_timeout));
      waiting.pop_front();
    }
    watch_queue();
  }

private:
  bool has_free_client() const {
    return !idle.empty() || clients.size() < options.max_concurrency;
  }

  void serve_waiting() {
    while (!waiting.empty() && has_free_client()) {
      auto order = std::move(waiting.front());
      waiting.pop_front();
      assign(std::move(order));
    }
  }

  void assign(order_ptr order) {
    if (idle.empty()) {
      idle.push_back(make(self));
      clients.emplace(idle.back().id(), idle.back());
      self->monitor(idle.back());
    }
    auto client = std::move(idle.back());
    idle.pop_back();
    const auto id = order->id;
    caf::anon_send(client, std::move(order));
    running.insert_or_assign(id, std::move(client));
  }

  /// A sweep runs only while orders wait.
  void watch_queue() {
    if (ticking || waiting.empty())
      return;
    ticking = true;
    self->delayed_send(self, tick_interval, queue_tick{});
  }
};

llm_pool_actor::behavior_type llm_pool(llm_pool_actor::stateful_pointer<llm_pool_state> self,
                                       const llm_pool_options& options,
                                       const llm_client_factory& make) {
  self->state.self = self;
  self->state.options = options;
  self->state.make = make;
  self->set_down_handler([self](const caf::down_msg& x) { self->state.on_down(x); });
  return {
      [self](order_ptr& x) { self->state.on_order(std::move(x)); },
      [self](const order_cancelled& x) { self->state.on_cancelled(x); },
      [self](const llm_client_idle& x) { self->state.on_idle(x); },
      [self](queue_tick) { self->state.on_tick(); },
  };
}

} // namespace

llm_pool_actor spawn_llm_pool(caf::actor_system& system, const llm_pool_options& options,
                              llm_client_factory make) {
  return system.spawn(llm_pool, options, std::move(make));
}

} // namespace lang_agent
