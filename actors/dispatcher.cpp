#include "actors/dispatcher.hpp"

#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <spdlog/spdlog.h>

namespace lang_agent {

namespace {

constexpr std::chrono::seconds tick_interval{1};

failure overloaded(error_kind kind) {
  return {.kind = kind,
          .message = "The server is overloaded: too many turns are waiting for the model.",
          .retry_after = "1"};
}

} // namespace

dispatcher::dispatcher(llm_pool_actor::pointer pool, const llm_pool_options& x,
                       llm_client_factory make)
    : self_(pool),
      options_(x),
      upstreams_(x.upstreams, x.breaker, x.seed),
      clients_([pool, make = std::move(make)] {
        auto client = make(pool);
        pool->monitor(client);
        return client;
      }),
      waiting_(x.groups.size(), x.routing.max_waiting),
      budget_(x.retry.budget),
      probes_(x.upstreams->size()),
      groups_of_(x.upstreams->size()) {
  for (std::size_t group = 0; group < x.groups.size(); ++group)
    for (const auto member : x.groups[group])
      groups_of_[member].push_back(group);
}

// -- placing orders -------------------------------------------------------------------------------

void dispatcher::on_order(order_ptr order) {
  budget_.deposit();
  order->progress = {};
  line_up(std::move(order));
}

/// Finds a place in the current group of the order or, where nobody is usable, in a later one.
dispatcher::outcome dispatcher::place(order_ptr& order) {
  auto& progress = order->progress;
  for (; progress.group < order->route->groups.size(); ++progress.group) {
    const auto found = upstreams_.look(*order, now());
    if (found.upstream) {
      attempt(std::move(order), *found.upstream);
      return outcome::placed;
    }
    if (found.busy)
      return outcome::must_wait;
    progress.failed.clear();
    progress.attempts_in_group = 0;
  }
  return outcome::nobody;
}

/// From the current group on: a place, a place in the queue, or the end.
void dispatcher::settle(order_ptr order) {
  switch (place(order)) {
  case outcome::placed:
    return;
  case outcome::must_wait:
    queue(std::move(order));
    return;
  case outcome::nobody:
    give_up(order);
  }
}

/// The same, but who waits already comes first.
void dispatcher::line_up(order_ptr order) {
  const auto group = order->route->groups[order->progress.group].number;
  if (!waiting_.front(group)) {
    settle(std::move(order));
    return;
  }
  queue(std::move(order));
  serve_group(group);
}

void dispatcher::queue(order_ptr order) {
  if (waiting_.is_full()) {
    order->fail(overloaded(error_kind::overloaded));
    return;
  }
  order->queued = now();
  const auto group = order->route->groups[order->progress.group].number;
  waiting_.push(group, std::move(order));
  options_.counters->waiting = waiting_.size();
  watch();
}

void dispatcher::attempt(order_ptr order, std::size_t upstream) {
  auto& progress = order->progress;
  if (progress.attempts == 0)
    progress.ends = now() + (*options_.upstreams)[upstream].total_timeout;
  ++progress.attempts;
  ++progress.attempts_in_group;
  const auto ticket = upstreams_[upstream].start(now());
  clients_.run(std::move(order), upstream, ticket);
  publish(upstream);
}

void dispatcher::give_up(const order_ptr& order) {
  const auto& last = order->progress.last;
  order->fail(last ? *last : upstreams_.problem(*order, now()));
}

void dispatcher::on_cancelled(const order_cancelled& x) {
  if (auto* running = clients_.find(x.id)) {
    running->cancelled = true; // its failure may be on its way already
    caf::anon_send(running->client, x);
  } else if (const auto waited = waiting_.remove(x.id)) {
    waited->forget();
  } else if (const auto rested = resting_.find(x.id); rested != resting_.end()) {
    rested->second->forget();
    resting_.erase(rested);
  }
  options_.counters->waiting = waiting_.size();
  options_.counters->resting = resting_.size();
}

// -- ends of attempts -----------------------------------------------------------------------------

void dispatcher::on_idle(const llm_client_idle& x) {
  const auto attempt = clients_.finished(x.last, x.client);
  if (!attempt)
    return;
  auto& state = upstreams_[attempt->upstream];
  if (x.completed) {
    state.completed(attempt->ticket, now(), x.ttft);
    ++counters(attempt->upstream).completed;
  } else {
    state.abandoned(attempt->ticket);
    ++counters(attempt->upstream).cancelled;
  }
  serve(attempt->upstream);
}

void dispatcher::on_failed(attempt_failed& x) {
  const auto attempt = clients_.finished(x.order->id, x.client);
  if (!attempt)
    return; // its customer hears of it when the order dies
  const auto upstream = attempt->upstream;
  auto& state = upstreams_[upstream];
  const bool was_closed = state.breaker.allows(now());
  const auto had_resting = state.keys.resting(now());
  state.failed(attempt->ticket, now(), x.why);
  ++counters(upstream).failed[static_cast<std::size_t>(x.why.kind)];
  if (x.begun)
    ++counters(upstream).broken_off;
  if ((was_closed || attempt->ticket.decides) && !state.breaker.allows(now()))
    spdlog::warn("upstream left alone name={} retry_after_s={}", name_of(upstream),
                 retry_after_text(state.breaker.open_until() - now()));
  if (x.why.kind == error_kind::upstream_auth_failed && state.keys.resting(now()) > had_resting)
    spdlog::error("upstream key set aside name={} key={}/{} hint=\"check its keys\"",
                  name_of(upstream), attempt->ticket.key + 1, state.keys.size());
  if (attempt->cancelled)
    x.order->forget();
  else if (x.begun)
    x.order->fail(std::move(x.why));
  else
    handle_failure(std::move(x.order), *attempt, x.why);
  serve(upstream);
  watch(); // it may have to be probed now
}

/// The requester has seen nothing yet.
void dispatcher::handle_failure(order_ptr order, const running_attempt& last, const failure& why) {
  auto& progress = order->progress;
  progress.last = why;
  const auto rule = rule_for(why.kind);
  const bool may_go_on = (rule.other_key || rule.again || rule.elsewhere)
                         && progress.attempts < options_.retry.max_attempts
                         && now() < progress.ends;
  if (!may_go_on) {
    order->fail(why);
    return;
  }
  if (rule.other_key && retry_with_other_key(order, last.upstream))
    return;
  if (retry_in_group(order, last.upstream, rule))
    return;
  fall_back(std::move(order), last.upstream);
}

/// The key that failed rests now.
bool dispatcher::retry_with_other_key(order_ptr& order, std::size_t upstream) {
  auto& state = upstreams_[upstream];
  if (state.keys.size() < 2 || !state.is_usable(now()) || state.is_full())
    return false;
  --order->progress.attempts_in_group; // another key is no other attempt at the upstream
  ++counters(upstream).retries;
  attempt(std::move(order), upstream);
  return true;
}

bool dispatcher::retry_in_group(order_ptr& order, std::size_t upstream, const retry_rule& rule) {
  auto& progress = order->progress;
  if (progress.attempts_in_group >= options_.retry.attempts_per_group)
    return false;
  progress.failed.push_back(upstream);
  const auto found = upstreams_.look(*order, now());
  if (found.upstream || found.busy) {
    if (!budget_.withdraw())
      return false;
    ++counters(upstream).retries;
    line_up(std::move(order));
    return true;
  }
  progress.failed.clear();
  // Who asks to be left alone for a while is not worth waiting for while others are there.
  const bool is_last = progress.group + 1 == order->route->groups.size();
  const bool asks_to_wait = retry_after_of(*progress.last).has_value();
  if (!rule.again || (asks_to_wait && !is_last) || !upstreams_[upstream].breaker.allows(now()))
    return false;
  const auto pause =
      retry_delay(options_.retry, progress.attempts_in_group, *progress.last, upstreams_.random());
  if (!pause || now() + *pause >= progress.ends || !budget_.withdraw())
    return false;
  ++counters(upstream).retries;
  rest(std::move(order), *pause);
  return true;
}

void dispatcher::fall_back(order_ptr order, std::size_t upstream) {
  auto& progress = order->progress;
  progress.failed.clear();
  progress.attempts_in_group = 0;
  if (++progress.group == order->route->groups.size()) {
    give_up(order);
    return;
  }
  ++counters(upstream).fallbacks;
  line_up(std::move(order));
}

void dispatcher::rest(order_ptr order, std::chrono::milliseconds pause) {
  const auto id = order->id;
  spdlog::info("upstream retry request={} attempt={} pause_ms={}", order->request_id,
               order->progress.attempts + 1, pause.count());
  resting_[id] = std::move(order);
  options_.counters->resting = resting_.size();
  self_->delayed_send(self_, pause, retry_due{id});
}

void dispatcher::on_retry(turn_id id) {
  auto rested = resting_.extract(id);
  if (rested.empty())
    return; // cancelled meanwhile
  options_.counters->resting = resting_.size();
  line_up(std::move(rested.mapped()));
}

void dispatcher::on_down(const caf::down_msg& x) {
  std::vector<running_attempt> lost;
  if (!clients_.died(x.source.id(), lost))
    return;
  spdlog::error("LLM client ended unexpectedly");
  for (const auto& attempt : lost) {
    upstreams_[attempt.upstream].abandoned(attempt.ticket);
    serve(attempt.upstream);
  }
}

// -- those who wait -------------------------------------------------------------------------------

/// Something has changed at an upstream: looks at all who wait for it.
void dispatcher::serve(std::size_t upstream) {
  publish(upstream);
  if (waiting_.empty())
    return;
  for (const auto group : groups_of_[upstream])
    serve_group(group);
}

void dispatcher::serve_group(std::size_t group) {
  while (const auto* first = waiting_.front(group)) {
    const auto found = upstreams_.look(*first, now());
    if (!found.upstream && found.busy)
      break;
    settle(waiting_.remove(first->id));
  }
  options_.counters->waiting = waiting_.size();
}

void dispatcher::on_tick() {
  ticking_ = false;
  waiting_.expire(now() - options_.routing.wait_timeout,
                  [](const order_ptr& x) { x->fail(overloaded(error_kind::queue_timeout)); });
  // Keys and upstreams_ that rested may be usable again.
  for (std::size_t group = 0; group < options_.groups.size(); ++group)
    serve_group(group);
  probe_resting();
  watch();
}

/// A sweep runs only while orders wait, or upstreams_ that are probed rest.
void dispatcher::watch() {
  const auto wants_probe = [&](std::size_t i) {
    return (*options_.upstreams)[i].probe_interval.count() > 0
           && upstreams_[i].breaker.now_is(now()) == circuit_breaker::state::open;
  };
  bool needed = !waiting_.empty();
  for (std::size_t i = 0; i < upstreams_.size() && !needed; ++i)
    needed = wants_probe(i);
  if (ticking_ || !needed)
    return;
  ticking_ = true;
  self_->delayed_send(self_, tick_interval, queue_tick{});
}

void dispatcher::probe_resting() {
  for (std::size_t i = 0; i < upstreams_.size(); ++i) {
    const auto& target = (*options_.upstreams)[i];
    auto& probe = probes_[i];
    if (target.probe_interval.count() == 0 || probe.under_way
        || now() < probe.last + target.probe_interval
        || upstreams_[i].breaker.now_is(now()) != circuit_breaker::state::open)
      continue;
    probe = {true, now()};
    target.http->probe([pool = llm_pool_actor{self_}, i](bool healthy) {
      caf::anon_send(pool, upstream_probed{i, healthy});
    });
  }
}

void dispatcher::on_probed(const upstream_probed& x) {
  probes_[x.upstream].under_way = false;
  if (x.healthy)
    upstreams_[x.upstream].breaker.heal(now());
  serve(x.upstream);
}

void dispatcher::publish(std::size_t upstream) {
  auto& state = upstreams_[upstream];
  auto& out = counters(upstream);
  out.outstanding = state.outstanding();
  out.resting_keys = state.keys.resting(now());
  out.state = static_cast<std::uint64_t>(state.breaker.now_is(now()));
}

} // namespace lang_agent
