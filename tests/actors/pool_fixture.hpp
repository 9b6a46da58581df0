/// An LLM pool between probes: the test plays its clients.
#pragma once

#include "tests/actors/fixture.hpp"

#include "actors/llm_pool.hpp"

namespace lang_agent::test {

struct pool_fixture : fixture {
  llm_pool_options options;
  std::vector<upstream_target> targets;
  std::vector<std::shared_ptr<client_inbox>> inboxes; ///< of the clients, as they were spawned
  std::vector<llm_client_actor> clients;
  std::shared_ptr<conversation_inbox> customer = std::make_shared<conversation_inbox>();
  conversation_actor customer_actor = conversation_probe(customer);
  request_actor requester = request_probe(std::make_shared<request_inbox>());
  route_ptr where = only_route();
  share_ptr whose; ///< later orders
  llm_pool_actor aut;

  pool_fixture() {
    options.seed = 1;
    add("a");
  }

  ~pool_fixture() {
    for (auto& inbox : inboxes)
      for (auto& x : inbox->all<llm_attempt>())
        if (x.order)
          x.order->forget();
    kill(aut);
    customer->all<order_failed>().clear();
  }

  upstream_target& add(const std::string& name, std::size_t keys = 1) {
    targets.push_back({name, nullptr});
    targets.back().keys = keys;
    return targets.back();
  }

  /// The route of later orders: groups of upstreams by number.
  void route_to(const std::vector<std::vector<std::size_t>>& groups) {
    auto out = std::make_shared<route>();
    for (const auto& members : groups) {
      out->groups.push_back({options.groups.size(), members});
      options.groups.push_back(members);
    }
    where = out;
  }

  void start() {
    if (options.groups.empty())
      route_to({{0}});
    std::vector<std::string> names;
    for (const auto& x : targets)
      names.push_back(x.name);
    options.upstreams = std::make_shared<const std::vector<upstream_target>>(targets);
    options.counters = std::make_shared<pool_counters>(names);
    aut = adopt(spawn_llm_pool(sys, options, [this](const llm_pool_actor&) {
      inboxes.push_back(std::make_shared<client_inbox>());
      clients.push_back(client_probe(inboxes.back()));
      return clients.back();
    }));
  }

  turn_id order(std::vector<std::size_t> refusing = {}) {
    auto x = std::make_shared<llm_order>(next_turn_id(), customer_actor, requester);
    x->route = where;
    x->refusing = std::move(refusing);
    x->share = whose;
    const auto id = x->id;
    send(aut, std::move(x));
    return id;
  }

  turn_id order_for(share_ptr tenant) {
    whose = std::move(tenant);
    return order();
  }

  /// The last attempt of a client.
  llm_attempt& last(std::size_t client = 0) {
    return inboxes.at(client)->last<llm_attempt>();
  }

  std::size_t attempts(std::size_t client = 0) {
    return inboxes.at(client)->count<llm_attempt>();
  }

  /// A client says that its order is complete.
  void complete(std::size_t client = 0, std::optional<std::chrono::nanoseconds> ttft = {}) {
    auto order = std::move(last(client).order);
    order->forget();
    send(aut, llm_client_idle{clients[client], order->id, true, ttft});
  }

  /// A client says that it has cancelled its order.
  void cancelled(std::size_t client = 0) {
    auto order = std::move(last(client).order);
    order->forget();
    send(aut, llm_client_idle{clients[client], order->id, false, {}});
  }

  /// A client says that its attempt failed.
  void fail(failure why, bool begun = false, std::size_t client = 0) {
    send(aut,
         attempt_failed{clients[client], std::move(last(client).order), std::move(why), begun});
  }

  void fail(error_kind kind, std::size_t client = 0) {
    fail({kind, "it broke"}, false, client);
  }

  std::size_t failures() const {
    return customer->count<order_failed>();
  }

  failure& failed() {
    return customer->last<order_failed>().why;
  }

  const upstream_counters& counted(std::size_t upstream = 0) const {
    return options.counters->upstreams[upstream];
  }
};

} // namespace lang_agent::test
