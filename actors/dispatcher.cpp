#include "actors/dispatcher.hpp"

#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <spdlog/spdlog.h>

#include <utility>

namespace lang_agent {

namespace {

constexpr std::chrono::seconds tick_interval{1};

failure overloaded() {
  return {.kind = error_kind::overloaded,
          .message = "The server is overloaded: too many turns are waiting for the model.",
          .retry_after = "1"};
}

failure tenant_queue_full() {
  return {.kind = error_kind::tenant_queue_full,
          .message = "Too many of your turns are waiting for the model.",
          .retry_after = "1"};
}

failure waited_too_long() {
  return {.kind = error_kind::queue_timeout,
          .message = "The model was busy for too long. Please retry.",
          .retry_after = "1"};
}

} // namespace

dispatcher::dispatcher(llm_pool_actor::pointer pool, const llm_pool_options& x,
                       llm_client_factory make)
    : self_(pool),
      options_(x),
      upstreams_(*x.upstreams, x.breaker, x.seed),
      clients_([pool, make = std::move(make)] {
        auto client = make(pool);
        pool->monitor(client);
        return client;
      }),
      waiting_(x.groups.size(), x.routing.max_waiting),
      budgets_(x.groups.size(), retry_budget{x.retry.budget}),
      probes_(x.upstreams->size()),
      groups_of_(x.upstreams->size()) {
  for (std::size_t group = 0; group < x.groups.size(); ++group)
    for (const auto member : x.groups[group])
      groups_of_[member].push_back(group);
}

// -- placing orders -------------------------------------------------------------------------------

void dispatcher::on_order(order_ptr order) {
  line_up(std::move(order));
}

/// The order looks for a place in its group, after those who wait there already.
void dispatcher::line_up(order_ptr order) {
  const auto group = group_of(*order);
  budgets_[group].deposit();
  serve_group(group);
  settle(std::move(order));
}

/// Finds a place in the current group of the order or, where nobody is usable, in a later one.
dispatcher::outcome dispatcher::place(order_ptr& order) {
  if (is_over(*order))
    return outcome::nobody;
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

/// Where the queue is full, the newest order of the tenant with the longest part of it gives way:
/// who floods the queue shuts out nobody but itself.
void dispatcher::queue(order_ptr order) {
  const auto group = group_of(*order);
  const auto& share = *share_of(*order);
  if (waiting_.is_full_for(share)) {
    turn_away(order, tenant_queue_full());
    return;
  }
  if (would_wait_too_long(group, share)) {
    turn_away(order, overloaded());
    return;
  }
  if (waiting_.is_full()) {
    const auto other = waiting_.make_room_for(share);
    turn_away(other ? other : order, overloaded());
    if (!other)
      return;
  }
  order->queued = now();
  waiting_.push(group, std::move(order));
  options_.counters->waiting = waiting_.size();
  watch();
}

/// Better refused now than after the whole wait: who waits behind it would wait in vain, too.
bool dispatcher::would_wait_too_long(std::size_t group, const queue_share& share) const {
  const auto wait = waiting_.line(group).wait_of(share);
  return wait && *wait > options_.routing.wait_timeout;
}

/// It does not wait, or no longer. What went wrong before is a better reason.
void dispatcher::turn_away(const order_ptr& order, failure why) {
  const auto& last = order->progress.last;
  fail(order, last ? *last : std::move(why));
}

void dispatcher::attempt(order_ptr order, std::size_t upstream) {
  auto& progress = order->progress;
  auto& spent = order->spent;
  if (spent.attempts++ == 0)
    spent.ends = now() + (*options_.upstreams)[upstream].total_timeout;
  ++progress.attempts_in_group;
  if (std::exchange(progress.asked, upstream) != upstream) {
    progress.tried_keys.clear();
    progress.suspects.clear();
  }
  auto& state = upstreams_[upstream];
  const auto ticket = state.start(now(), progress.tried_keys);
  clients_.run(std::move(order), upstream, ticket, state.wants_first_token(ticket));
  publish(upstream);
}

void dispatcher::give_up(const order_ptr& order) {
  const auto& last = order->progress.last;
  fail(order, last ? *last : upstreams_.problem(*order, now()));
}

/// The access log does not know what a failed turn has been through.
void dispatcher::fail(const order_ptr& order, failure why) {
  if (order->spent.attempts > 1)
    spdlog::warn("upstream given up request={} attempts={} code={}", order->request_id,
                 order->spent.attempts, contract_of(why.kind).code);
  order->fail(std::move(why));
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

void dispatcher::on_begun(const attempt_begun& x) {
  auto* attempt = clients_.find(x.id);
  if (!attempt)
    return;
  upstreams_[attempt->upstream].begun(attempt->ticket, now(), x.ttft);
  serve(attempt->upstream); // it may have proved to be well
}

void dispatcher::on_idle(const llm_client_idle& x) {
  const auto attempt = clients_.finished(x.last, x.client);
  if (!attempt)
    return;
  auto& state = upstreams_[attempt->upstream];
  if (x.completed) {
    state.completed(attempt->ticket, now(), x.ttft);
    ++counters(attempt->upstream).completed;
    // Another key got the same request through.
    for (const auto key : attempt->suspects) {
      state.keys.refused(key, now());
      report_set_aside(attempt->upstream, key);
    }
  } else {
    state.abandoned(attempt->ticket);
    ++counters(attempt->upstream).cancelled;
  }
  serve(attempt->upstream);
}

void dispatcher::report_set_aside(std::size_t upstream, std::size_t key) {
  spdlog::error("upstream key set aside name={} key={}/{} hint=\"check its keys\"",
                name_of(upstream), key + 1, upstreams_[upstream].keys.size());
}

void dispatcher::on_failed(attempt_failed& x) {
  const auto attempt = clients_.finished(x.order->id, x.client);
  if (!attempt)
    return; // its customer hears of it when the order dies
  const auto upstream = attempt->upstream;
  auto& state = upstreams_[upstream];
  const auto key = attempt->ticket.key;
  if (rule_for(x.why.kind).key == key_fault::refused && !state.keys.rests(key, now()))
    report_set_aside(upstream, key);
  const auto before = state.breaker.open_until();
  state.failed(attempt->ticket, now(), x.why);
  ++counters(upstream).failed[static_cast<std::size_t>(x.why.kind)];
  if (x.begun)
    ++counters(upstream).broken_off;
  if (state.breaker.open_until() != before)
    spdlog::warn("upstream left alone name={} retry_after_s={}", name_of(upstream),
                 retry_after_text(state.breaker.open_until() - now()));
  if (attempt->cancelled)
    x.order->forget();
  else if (x.begun)
    fail(x.order, std::move(x.why));
  else
    handle_failure(std::move(x.order), *attempt, x.why);
  serve(upstream);
  watch(); // something may rest now
}

/// The requester has seen nothing yet.
void dispatcher::handle_failure(order_ptr order, const running_attempt& last, const failure& why) {
  auto& progress = order->progress;
  progress.last = why;
  progress.tried_keys.push_back(last.ticket.key);
  const auto rule = rule_for(why.kind);
  if (rule.key == key_fault::suspect)
    progress.suspects.push_back(last.ticket.key);
  const bool may_go_on = (rule.other_key || rule.again || rule.elsewhere)
                         && order->spent.attempts < options_.retry.max_attempts
                         && now() < order->spent.ends;
  if (!may_go_on) {
    fail(order, why);
    return;
  }
  if (rule.other_key && retry_with_other_key(order, last.upstream))
    return;
  if (retry_in_group(order, last, rule))
    return;
  fall_back(std::move(order), last.upstream);
}

/// Each key is taken once.
bool dispatcher::retry_with_other_key(order_ptr& order, std::size_t upstream) {
  auto& progress = order->progress;
  auto& state = upstreams_[upstream];
  if (!state.keys.has_usable(now(), progress.tried_keys) || !state.breaker.allows(now())
      || state.is_full())
    return false;
  --progress.attempts_in_group; // another key is no other attempt at the upstream
  ++counters(upstream).retries;
  attempt(std::move(order), upstream);
  return true;
}

bool dispatcher::retry_in_group(order_ptr& order, const running_attempt& last,
                                const retry_rule& rule) {
  auto& progress = order->progress;
  // A turn that found out that an upstream has not recovered must not suffer for it. There is one
  // such turn in each `open_time`, so that makes no storm.
  const bool is_free = last.ticket.decides;
  if (is_free)
    --progress.attempts_in_group;
  if (progress.attempts_in_group >= options_.retry.attempts_per_group)
    return false;
  auto& budget = budgets_[group_of(*order)];
  progress.failed.push_back(last.upstream);
  const auto found = upstreams_.look(*order, now());
  if (found.upstream || found.busy) {
    if (!is_free && !budget.withdraw())
      return false;
    ++counters(last.upstream).retries;
    settle(std::move(order));
    return true;
  }
  progress.failed.clear();
  // Who asks to be left alone for a while is not worth waiting for while others are there.
  const bool is_last = progress.group + 1 == order->route->groups.size();
  const bool asks_to_wait = retry_after_of(*progress.last).has_value();
  if (!rule.again || (asks_to_wait && !is_last) || !upstreams_[last.upstream].breaker.allows(now()))
    return false;
  const auto pause =
      retry_delay(options_.retry, progress.attempts_in_group, *progress.last, upstreams_.random());
  if (!pause || now() + *pause >= order->spent.ends || !budget.withdraw())
    return false;
  ++counters(last.upstream).retries;
  progress.tried_keys.clear();
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
               order->spent.attempts + 1, pause.count());
  resting_[id] = std::move(order);
  options_.counters->resting = resting_.size();
  self_->delayed_send(self_, pause, retry_due{id});
}

void dispatcher::on_retry(turn_id id) {
  auto rested = resting_.extract(id);
  if (rested.empty())
    return; // cancelled meanwhile
  options_.counters->resting = resting_.size();
  settle(std::move(rested.mapped()));
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

/// Gives free places to those who wait, tenants in turn. One that may not take any of them holds up
/// no others, up to a bound. Where nobody is usable any more, all of them go elsewhere.
void dispatcher::serve_group(std::size_t group) {
  const auto& members = options_.groups[group];
  const auto judge = [&](const llm_order& x) {
    using enum fair_line::verdict;
    const auto found = upstreams_.look(x, now());
    if (is_over(x) || (!found.upstream && !found.busy))
      return leaves;
    return found.upstream ? goes : waits;
  };
  while (waiting_.line(group).size() > 0
         && (upstreams_.has_place(members, now()) || upstreams_.is_deserted(members, now()))) {
    auto next = waiting_.take(group, now(), judge);
    if (!next)
      break;
    settle(std::move(next));
  }
  options_.counters->waiting = waiting_.size();
}

void dispatcher::on_tick() {
  ticking_ = false;
  waiting_.expire(now() - options_.routing.wait_timeout,
                  [](const order_ptr& x) { turn_away(x, waited_too_long()); });
  // Keys and upstreams that rested may be usable again.
  for (std::size_t group = 0; group < options_.groups.size(); ++group)
    serve_group(group);
  for (std::size_t i = 0; i < upstreams_.size(); ++i)
    publish(i);
  probe_resting();
  watch();
}

/// A sweep runs only while orders wait or something rests.
void dispatcher::watch() {
  const auto rests = [&](std::size_t i) {
    return upstreams_[i].breaker.now_is(now()) != circuit_breaker::state::closed
           || upstreams_[i].keys.resting(now()) > 0;
  };
  bool needed = !waiting_.empty();
  for (std::size_t i = 0; i < upstreams_.size() && !needed; ++i)
    needed = rests(i);
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
