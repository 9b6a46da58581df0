#include "actors/conversation.hpp"

#include "actors/merge.hpp"
#include "messages/protocol.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <deque>
#include <optional>
#include <span>

namespace lang_agent {

namespace {

constexpr std::chrono::seconds tick_interval{1};

failure busy() {
  return {error_kind::thread_busy,
          "This thread is busy with another turn. Retry when that one has ended."};
}

failure queue_full() {
  failure out{error_kind::thread_queue_full, "Too many turns are waiting for this thread."};
  out.retry_after = "1";
  return out;
}

failure waited_too_long() {
  failure out{error_kind::queue_timeout, "The turn waited too long for its thread."};
  out.retry_after = "1";
  return out;
}

failure shutting_down() {
  failure out{error_kind::shutting_down, "The server is shutting down. Please retry."};
  out.retry_after = "1";
  return out;
}

failure stray_answer(const std::string& id) {
  return {
      error_kind::invalid_request,
      "Invalid value for 'messages': the tool message with tool_call_id '" + id
          + "' does not follow an assistant message with that tool call, neither in the request "
            "nor in the thread.",
      "messages"};
}

/// The turn that is running, and what it will store.
struct running_turn {
  turn_ptr request;
  std::size_t keep = 0;      ///< of the history
  message_list instructions; ///< of the thread from now on
  message_list fresh;        ///< what the request adds
  context_size context;
  std::shared_ptr<answer> result; ///< set once the upstream is done
};

struct conversation_state {
  static inline const char* name = "lang_agent.conversation";

  conversation_actor::pointer self = nullptr;
  thread_key key;
  bool stateless = false;
  conversation_options options;
  llm_pool_actor pool;
  journal_actor journal;

  bool loaded = false;
  bool loading = false;
  bool ticking = false;
  message_list instructions;
  message_list history;
  std::deque<turn_ptr> waiting;
  std::optional<running_turn> running;

  void on_turn(turn_ptr turn);
  void on_cancelled(turn_id id);
  void on_loaded(thread_loaded& x);
  void on_completed(order_completed& x);
  void on_failed(order_failed& x);
  void on_stored(const turn_stored& x);
  void on_tick();
  void on_exit(const caf::exit_msg& x);

private:
  void next();
  void start(turn_ptr turn);
  void commit();
  void end_turn();
  void watch_queue();

  bool is_running(turn_id id) const {
    return running && running->request->id == id;
  }
};

void conversation_state::on_turn(turn_ptr turn) {
  const bool is_busy = running || !waiting.empty();
  if (is_busy && options.on_busy == busy_policy::reject) {
    turn->fail(busy());
    return;
  }
  if (is_busy && waiting.size() >= options.max_waiting) {
    turn->fail(queue_full());
    return;
  }
  waiting.push_back(std::move(turn));
  next();
}

/// Starts the first waiting turn, if nothing stands in its way.
void conversation_state::next() {
  if (!running && !waiting.empty() && !loaded && !loading) {
    loading = true;
    caf::anon_send(journal, load_thread{key, self});
  }
  while (loaded && !running && !waiting.empty()) {
    auto turn = std::move(waiting.front());
    waiting.pop_front();
    start(std::move(turn));
  }
  if (stateless && !running)
    self->quit();
  watch_queue();
}

void conversation_state::start(turn_ptr turn) {
  const auto merged = merge(history, turn->messages);
  running_turn x;
  x.keep = merged.keep;
  x.fresh.assign(turn->messages.begin() + static_cast<std::ptrdiff_t>(merged.known),
                 turn->messages.end());
  x.instructions = turn->instructions.empty() ? instructions : turn->instructions;
  const std::span<const message_ptr> kept{history.data(), merged.keep};
  auto prompt = build_prompt(x.instructions, kept, x.fresh, options.limits);
  if (prompt.stray_answer) {
    turn->fail(stray_answer(*prompt.stray_answer));
    return;
  }
  x.context = prompt.size;
  auto order = std::make_shared<llm_order>(turn->id, self, turn->requester);
  order->request_id = turn->request_id;
  order->parameters = turn->parameters;
  order->prompt = std::move(prompt.messages);
  order->context = prompt.size;
  x.request = std::move(turn);
  running = std::move(x);
  caf::anon_send(pool, std::move(order));
}

void conversation_state::on_cancelled(turn_id id) {
  if (is_running(id)) {
    // Once the answer is on its way to the store, the turn is as good as done.
    if (running->result)
      return;
    caf::anon_send(pool, order_cancelled{id});
    running->request->forget();
    end_turn();
    return;
  }
  const auto found =
      std::find_if(waiting.begin(), waiting.end(), [&](const turn_ptr& x) { return x->id == id; });
  if (found != waiting.end()) {
    (*found)->forget();
    waiting.erase(found);
  }
}

void conversation_state::on_loaded(thread_loaded& x) {
  loading = false;
  if (x.why) {
    for (auto& turn : waiting)
      turn->fail(*x.why);
    waiting.clear();
    return;
  }
  loaded = true;
  instructions = std::move(x.instructions);
  history = std::move(x.history);
  next();
}

void conversation_state::on_completed(order_completed& x) {
  if (!is_running(x.id))
    return;
  running->result = std::move(x.result);
  if (stateless) {
    commit();
    return;
  }
  auto messages = running->fresh;
  messages.push_back(running->result->message);
  caf::anon_send(journal, store_turn{x.id, key, running->instructions, running->keep,
                                     std::move(messages), self});
}

void conversation_state::on_failed(order_failed& x) {
  if (!is_running(x.id))
    return;
  running->request->fail(std::move(x.why));
  end_turn();
}

void conversation_state::on_stored(const turn_stored& x) {
  if (!is_running(x.id))
    return;
  if (x.why) {
    running->request->fail(*x.why);
    end_turn();
    return;
  }
  history.resize(running->keep);
  history.insert(history.end(), running->fresh.begin(), running->fresh.end());
  history.push_back(running->result->message);
  instructions = std::move(running->instructions);
  commit();
}

void conversation_state::commit() {
  running->request->commit(std::move(*running->result), running->context);
  end_turn();
}

void conversation_state::end_turn() {
  running.reset();
  next();
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
  const auto oldest = self->clock().now() - options.wait_timeout;
  while (!waiting.empty() && waiting.front()->arrived <= oldest) {
    waiting.front()->fail(waited_too_long());
    waiting.pop_front();
  }
  watch_queue();
}

/// The server stops: requesters hear why.
void conversation_state::on_exit(const caf::exit_msg& x) {
  if (running)
    running->request->fail(shutting_down());
  for (auto& turn : waiting)
    turn->fail(shutting_down());
  self->quit(x.reason);
}

conversation_actor::behavior_type
conversation(conversation_actor::stateful_pointer<conversation_state> self, const thread_key& key,
             bool stateless, const conversation_options& options, const llm_pool_actor& pool,
             const journal_actor& journal) {
  auto& state = self->state;
  state.self = self;
  state.key = key;
  state.stateless = stateless;
  state.options = options;
  state.pool = pool;
  state.journal = journal;
  state.loaded = stateless; // there is nothing to load
  self->set_exit_handler([self](const caf::exit_msg& x) { self->state.on_exit(x); });
  return {
      [self](turn_ptr& x) { self->state.on_turn(std::move(x)); },
      [self](const turn_cancelled& x) { self->state.on_cancelled(x.id); },
      [self](thread_loaded& x) { self->state.on_loaded(x); },
      [self](order_completed& x) { self->state.on_completed(x); },
      [self](order_failed& x) { self->state.on_failed(x); },
      [self](const turn_stored& x) { self->state.on_stored(x); },
      [self](queue_tick) { self->state.on_tick(); },
  };
}

} // namespace

conversation_actor spawn_conversation(caf::actor_system& system, const thread_key& key,
                                      bool stateless, const conversation_options& options,
                                      const llm_pool_actor& pool, const journal_actor& journal) {
  return system.spawn(conversation, key, stateless, options, pool, journal);
}

} // namespace lang_agent
