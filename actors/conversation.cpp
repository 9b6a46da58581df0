#include "actors/conversation.hpp"

#include "actors/history.hpp"
#include "actors/ledger.hpp"
#include "actors/open_requests.hpp"
#include "actors/running_turn.hpp"
#include "actors/turn_failures.hpp"
#include "actors/turn_queue.hpp"
#include "http/json.hpp"
#include "messages/protocol.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <optional>

namespace lang_agent {

namespace {

constexpr std::chrono::seconds tick_interval{1};
/// An actor, its mailbox and its entry in the directory.
constexpr std::size_t empty_conversation_bytes = 3072;

turn_stations::time_point steady_now() {
  return std::chrono::steady_clock::now();
}

void tell(const store_client_actor& client, store_answer x) {
  if (client) // retention does not care
    caf::anon_send(client, std::move(x));
}

struct conversation_state {
  static inline const char* name = "lang_agent.conversation";

  conversation_actor::pointer self = nullptr;
  thread_key key;
  bool stateless = false;
  conversation_options options;
  llm_pool_actor pool;
  journal_port journal;
  footprint_ptr memory;

  std::optional<history> thread; ///< none: not loaded
  bool loading = false;
  std::optional<turn_stations::time_point> load_began; ///< for the turn that comes next
  std::optional<tenant_totals> owned; ///< by the tenant as the thread was loaded, until it runs
  bool load_whole = false;            ///< the next turn needs more than the context limits do
  bool is_whole = false;              ///< `thread` was loaded for such a turn
  std::size_t changing = 0;           ///< changes of the whole thread that the journal has
  bool ticking = false;
  turn_queue waiting;
  open_requests attempts;
  std::optional<running_turn> running;

  void on_turn(turn_ptr turn);
  void on_cancelled(turn_id id);
  void on_change(change_thread& x);
  void on_loaded(thread_loaded& x);
  void on_found(answer_found& x);
  void on_completed(order_completed& x);
  void on_failed(order_failed& x);
  void on_stored(const turn_stored& x);
  void on_changed();
  void on_tick();
  void on_exit(const caf::exit_msg& x);

private:
  bool joins_another(turn_ptr& turn);
  void next();
  void load();
  void start(joint_turn x);
  void find_replay();
  void run();
  std::optional<refusal> no_room(const storage_limits& may);
  void order();
  bool shorten();
  void store();
  void commit();
  void fail_running(const failure& why);
  void end_turn();
  void drop_running(const failure& why);
  void forget_thread();
  void watch_queue();

  bool may_be_retry(const turn& x) const {
    return options.replay_window.count() > 0 && (x.is_retry || !x.idempotency_key.empty());
  }

  bool is_running(turn_id id) const {
    return running && running->request.first().id == id;
  }
};

// -- requests -------------------------------------------------------------------------------------

void conversation_state::on_turn(turn_ptr turn) {
  if (joins_another(turn))
    return;
  attempts.arrived(*turn);
  const bool is_busy = running || !waiting.empty();
  if (is_busy && turn->on_busy.value_or(options.on_busy) == busy_policy::reject) {
    turn->fail(thread_busy());
    return;
  }
  if (is_busy && waiting.size() >= options.max_waiting) {
    turn->fail(thread_queue_full());
    return;
  }
  waiting.push(std::move(turn));
  next();
}

/// A retry of a request whose turn is waiting or running becomes part of that one.
bool conversation_state::joins_another(turn_ptr& turn) {
  if (!may_be_retry(*turn))
    return false;
  if (running && running->request.join_or_refuse(turn) != relation::other)
    return true;
  return waiting.join(turn) != relation::other;
}

void conversation_state::on_cancelled(turn_id id) {
  if (running && running->request.has(id)) {
    // Once the answer is on its way to the store, the turn is as good as done.
    if (running->request.leave(id) && !running->result) {
      if (running->ordered)
        caf::anon_send(pool, order_cancelled{running->request.first().id});
      fail_running(client_left());
    }
    return;
  }
  waiting.leave(id);
}

/// Deleting ends what runs and waits; what makes a new thread finds that there is one already.
void conversation_state::on_change(change_thread& x) {
  auto* deletion = std::get_if<delete_thread>(&x.change);
  const bool is_busy = running || !waiting.empty();
  const bool only_if_idle = deletion && deletion->updated_before != 0;
  if (is_busy && (!deletion || only_if_idle)) {
    const change_result result = deletion ? change_result{} : refusal::thread_exists;
    tell(x.reply_to, {result});
    return;
  }
  if (journal.is_full()) {
    tell(x.reply_to, {journal_full()});
    return;
  }
  if (is_busy)
    deletion->may_be_missing = true; // the first turn ends here: something was deleted
  if (running) {
    if (running->ordered && !running->result)
      caf::anon_send(pool, order_cancelled{running->request.first().id});
    drop_running(thread_deleted());
  }
  waiting.fail_all(thread_deleted());
  forget_thread();
  x.through = self;
  const auto client = x.reply_to;
  if (journal.send(std::move(x)))
    ++changing;
  else
    tell(client, {journal_full()});
}

void conversation_state::on_changed() {
  --changing;
  forget_thread();
  next();
}

// -- one turn after the other ---------------------------------------------------------------------

/// Starts the first waiting turn, if nothing stands in its way.
void conversation_state::next() {
  while (!running && !waiting.empty() && changing == 0 && !loading) {
    if (!stateless && (!thread || load_whole || (thread->is_new() && !owned))) {
      load();
      continue;
    }
    start(waiting.take());
  }
  if (!running)
    owned.reset(); // others may change it meanwhile
  if (stateless && !running)
    self->quit();
  watch_queue();
}

void conversation_state::load() {
  loading = true;
  load_began = steady_now();
  const auto limits = load_whole ? context_limits{} : options.limits;
  if (journal.send(load_thread{key, limits, self}))
    return;
  loading = load_whole = false;
  waiting.fail_all(journal_full());
}

void conversation_state::on_loaded(thread_loaded& x) {
  loading = false;
  if (changing > 0)
    return; // it is out of date
  if (x.why) {
    load_whole = false;
    waiting.fail_all(*x.why);
    return;
  }
  thread.emplace(std::move(x.record));
  owned = x.totals;
  is_whole = std::exchange(load_whole, false);
  memory->set(empty_conversation_bytes + thread->bytes());
  next();
}

void conversation_state::start(joint_turn x) {
  x.settle_first();
  const auto& turn = x.first();
  if (!stateless && !thread->is_enough_for(turn.messages)) {
    waiting.put_back(std::move(x));
    load_whole = true;
    return;
  }
  // Better now than after the upstream has worked for nothing.
  if (!stateless && journal.is_full()) {
    x.fail(journal_full());
    return;
  }
  running.emplace(std::move(x));
  running->stations.begun = load_began ? *std::exchange(load_began, std::nullopt) : steady_now();
  const auto& first = running->request.first();
  if (stateless || !may_be_retry(first) || attempts.has_failed(first))
    run();
  else
    find_replay();
}

/// Asks the journal whether the request had its turn already.
void conversation_state::find_replay() {
  const auto& turn = running->request.first();
  const replay_query query{key, turn.request, turn.idempotency_key,
                           unix_now() - options.replay_window.count()};
  if (!journal.send(find_answer{turn.id, query, self}))
    fail_running(journal_full());
}

void conversation_state::on_found(answer_found& x) {
  if (!is_running(x.id))
    return;
  if (x.why) {
    fail_running(*x.why);
  } else if (x.result.conflict) {
    fail_running(key_conflict());
  } else if (!x.result.answer.empty()) {
    running->request.replay(std::make_shared<const std::string>(std::move(x.result.answer)));
    end_turn();
  } else {
    run();
  }
}

/// Why the store will not take a turn, as far as that is known before the upstream works for
/// nothing. What has changed since then, the store sees.
std::optional<refusal> conversation_state::no_room(const storage_limits& may) {
  const auto has = std::exchange(owned, std::nullopt);
  if (has && may.threads != 0 && thread->is_new() && has->threads >= may.threads)
    return refusal::too_many_threads;
  if (has && may.bytes != 0 && has->bytes >= may.bytes)
    return refusal::too_many_bytes;
  return std::nullopt;
}

void conversation_state::run() {
  const auto& turn = running->request.first();
  if (const auto why = no_room(turn.storage)) {
    forget_thread(); // the next turn asks again
    fail_running(storage_limit_reached(*why));
    return;
  }
  static const history nothing;
  running->plan =
      (thread ? *thread : nothing).plan(turn.instructions, turn.messages, options.limits);
  if (const auto& id = running->plan.shown.stray_answer) {
    fail_running(stray_tool_answer(*id));
    return;
  }
  order();
}

void conversation_state::order() {
  const auto& turn = running->request.first();
  const auto prompt_tokens = http::estimate_tokens(running->plan.shown.messages);
  if (turn.in_flight)
    if (auto why = turn.in_flight->hold_tokens(prompt_tokens + answer_limit(turn.parameters))) {
      fail_running(*why);
      return;
    }
  caf::anon_send(pool, running->order(self, prompt_tokens, steady_now()));
}

void conversation_state::on_failed(order_failed& x) {
  if (!is_running(x.id))
    return;
  running->ordered = false;
  running->spent = x.spent;
  if (x.why.kind == error_kind::context_too_long && shorten())
    return;
  fail_running(x.why);
}

/// Asks once more with about half of the context. False: that is not wanted, or would not help.
bool conversation_state::shorten() {
  if (!options.retry_with_less_context || running->shortened || !thread)
    return false;
  running->shortened = true;
  auto& shown = running->plan.shown;
  const auto whole = thread->show(running->plan, options.limits);
  const context_limits half{0, static_cast<std::size_t>(http::estimate_tokens(whole.messages) / 2)};
  shown = thread->show(running->plan, half);
  if (shown.size.used >= whole.size.used)
    return false;
  order();
  return true;
}

void conversation_state::on_completed(order_completed& x) {
  if (!is_running(x.id))
    return;
  running->complete(std::move(x), steady_now());
  if (stateless)
    commit();
  else
    store();
}

void conversation_state::store() {
  auto record = running->record(*thread, key, options.replay_window);
  auto bytes = record.answer.size();
  for (const auto& message : record.messages)
    bytes += message->json.size();
  if (!journal.send(store_turn{running->request.first().id, std::move(record), self}, bytes))
    fail_running(journal_full());
}

void conversation_state::on_stored(const turn_stored& x) {
  if (!is_running(x.id))
    return;
  if (x.why) {
    forget_thread(); // it may not be what it was
    fail_running(*x.why);
    return;
  }
  if (const auto& counted = running->request.first().in_flight)
    counted->recorded();
  running->stations.stored = steady_now();
  thread->apply(running->plan, running->result->message);
  if (!is_whole)
    thread->trim(options.limits);
  memory->set(empty_conversation_bytes + thread->bytes());
  attempts.committed(running->request.first());
  commit();
}

void conversation_state::commit() {
  running->request.commit({running->result, running->json, running->plan.shown.size,
                           running->origin, running->stations});
  end_turn();
}

void conversation_state::fail_running(const failure& why) {
  running->request.fail(why);
  end_turn();
}

void conversation_state::end_turn() {
  running.reset();
  owned.reset();
  next();
}

/// Ends the turn from outside. When it is on its way to the store, its usage is, too.
void conversation_state::drop_running(const failure& why) {
  if (const auto& counted = running->request.first().in_flight; counted && running->result)
    counted->recorded();
  running->request.fail(why);
  running.reset();
}

void conversation_state::forget_thread() {
  thread.reset();
  memory->set(empty_conversation_bytes);
}

/// A sweep runs only while turns wait.
void conversation_state::watch_queue() {
  if (ticking || waiting.empty())
    return;
  ticking = true;
  self->delayed_send(self, tick_interval, queue_tick{});
}

void conversation_state::on_tick() {
  ticking = false;
  waiting.fail_until(self->clock().now() - options.wait_timeout, waited_too_long());
  watch_queue();
}

/// The server stops, or the conversation leaves memory: requesters, if there are any, hear why.
void conversation_state::on_exit(const caf::exit_msg& x) {
  if (running)
    drop_running(server_stops());
  waiting.fail_all(server_stops());
  self->quit(x.reason);
}

conversation_actor::behavior_type
conversation(conversation_actor::stateful_pointer<conversation_state> self, const thread_key& key,
             bool stateless, const conversation_options& options, const llm_pool_actor& pool,
             const journal_port& journal, const footprint_ptr& memory) {
  auto& state = self->state;
  state.self = self;
  state.key = key;
  state.stateless = stateless;
  state.options = options;
  state.pool = pool;
  state.journal = journal;
  state.memory = memory;
  memory->set(empty_conversation_bytes);
  self->set_exit_handler([self](const caf::exit_msg& x) { self->state.on_exit(x); });
  return {
      [self](turn_ptr& x) { self->state.on_turn(std::move(x)); },
      [self](const turn_cancelled& x) { self->state.on_cancelled(x.id); },
      [self](change_thread& x) { self->state.on_change(x); },
      [self](thread_loaded& x) { self->state.on_loaded(x); },
      [self](answer_found& x) { self->state.on_found(x); },
      [self](order_completed& x) { self->state.on_completed(x); },
      [self](order_failed& x) { self->state.on_failed(x); },
      [self](const turn_stored& x) { self->state.on_stored(x); },
      [self](thread_changed) { self->state.on_changed(); },
      [self](queue_tick) { self->state.on_tick(); },
  };
}

} // namespace

conversation_actor spawn_conversation(caf::actor_system& system, const thread_key& key,
                                      bool stateless, const conversation_options& options,
                                      const llm_pool_actor& pool, const journal_port& journal,
                                      footprint_ptr memory) {
  return system.spawn(conversation, key, stateless, options, pool, journal, std::move(memory));
}

} // namespace lang_agent
