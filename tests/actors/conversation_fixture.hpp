/// A conversation between probes, and short ways to play the parts of those around it.
#pragma once

#include "tests/actors/fixture.hpp"

#include "actors/conversation.hpp"

namespace lang_agent::test {

/// Who asks for turns.
struct client {
  std::shared_ptr<request_inbox> inbox;
  request_actor actor;

  std::size_t answers() const {
    return inbox->count<turn_committed>() + inbox->count<turn_replayed>();
  }

  const failure& why() const {
    return inbox->last<turn_failed>().why;
  }
};

/// How a request may be known as a retry of another one.
struct retry_marks {
  std::string key = {};
  bool is_retry = false;
  std::uint64_t body = 1; ///< two requests with the same number are the same
};

struct conversation_fixture : fixture {
  const thread_key key{"tenant", "thread"};
  std::shared_ptr<request_inbox> requester = std::make_shared<request_inbox>();
  std::shared_ptr<pool_inbox> pool = std::make_shared<pool_inbox>();
  std::shared_ptr<journal_inbox> journal = std::make_shared<journal_inbox>();
  std::shared_ptr<store_client_inbox> store_client = std::make_shared<store_client_inbox>();
  request_actor requester_actor = request_probe(requester);
  store_client_actor asking_actor = store_client_probe(store_client);
  std::shared_ptr<journal_gate> gate = std::make_shared<journal_gate>(1024 * 1024);
  active_memory memory = std::make_shared<std::atomic<std::size_t>>(0);
  conversation_options options;
  conversation_actor aut;

  ~conversation_fixture() {
    for (auto& order : pool->all<order_ptr>())
      if (order)
        order->forget();
  }

  /// Spawns the actor under test; its thread is not loaded yet.
  void start(bool stateless = false) {
    aut = adopt(spawn_conversation(sys, key, stateless, options, pool_probe(pool),
                                   {journal_probe(journal), gate},
                                   std::make_shared<footprint>(memory)));
  }

  /// The journal's answer to `load_thread`.
  void load(message_list history = {}, message_list instructions = {}, std::size_t skipped = 0) {
    journal->last<load_thread>().place = {};
    send(aut, thread_loaded{{1, std::move(instructions), std::move(history), skipped}, nullptr});
  }

  /// Spawns it with its thread loaded, by a first turn that fails. No other is like that one.
  void start_loaded(message_list history = {}) {
    start();
    const auto id = say("first", {"", false, ~std::uint64_t{0}});
    load(std::move(history));
    fail(id);
    pool->all<order_ptr>().clear();
    requester->all<turn_failed>().clear();
  }

  client new_client() {
    auto inbox = std::make_shared<request_inbox>();
    return {inbox, request_probe(inbox)};
  }

  turn_ptr make_turn(const std::string& messages, const retry_marks& marks = {},
                     const request_actor& who = {}) {
    auto x = std::make_shared<turn>(who ? who : requester_actor);
    x->key = key;
    x->arrived = sched.clock().now();
    x->answer_id = "chatcmpl-1";
    x->parameters.model = "m";
    x->idempotency_key = marks.key;
    x->is_retry = marks.is_retry;
    x->request = {marks.body, marks.body};
    for (auto& m : messages_of(messages))
      (m->is_instruction() ? x->instructions : x->messages).push_back(m);
    return x;
  }

  /// Asks for a turn with these messages; returns its id.
  turn_id ask(const std::string& messages, const retry_marks& marks = {},
              const request_actor& who = {}) {
    auto x = make_turn(messages, marks, who);
    const auto id = x->id;
    send(aut, std::move(x));
    return id;
  }

  turn_id say(const std::string& text, const retry_marks& marks = {},
              const request_actor& who = {}) {
    return ask(R"([{"role":"user","content":")" + text + R"("}])", marks, who);
  }

  void cancel(turn_id id) {
    send(aut, turn_cancelled{key, id});
  }

  std::size_t orders() const {
    return pool->count<order_ptr>();
  }

  llm_order& order() {
    return *pool->last<order_ptr>();
  }

  std::string prompt() {
    return texts_of(order().prompt);
  }

  bool asks_for(const std::string& text) {
    return prompt().find(text) != std::string::npos;
  }

  // The pool's side of a turn. The order stays with the probe; it is settled here.

  void complete(turn_id id, const std::string& text) {
    order().forget();
    send(aut, order_completed{id, std::make_shared<answer>(answer_of(text))});
  }

  void fail(turn_id id, failure why = {error_kind::upstream_error, "broken"}) {
    order().forget();
    send(aut, order_failed{id, std::move(why)});
  }

  // The journal's side.

  std::size_t stores() const {
    return journal->count<store_turn>();
  }

  const turn_record& record() {
    return journal->last<store_turn>().turn;
  }

  void stored(turn_id id) {
    send(aut, turn_stored{id, nullptr});
  }

  void not_stored(turn_id id, failure why) {
    send(aut, turn_stored{id, std::make_shared<failure>(std::move(why))});
  }

  void found(turn_id id, replay_result result = {}) {
    send(aut, answer_found{id, std::move(result), nullptr});
  }

  /// One whole turn.
  void talk(const std::string& text, const std::string& reply, const retry_marks& marks = {}) {
    const auto id = say(text, marks);
    complete(id, reply);
    stored(id);
  }

  // Changes of the whole thread.

  void change(store_change x) {
    send(aut, change_thread{key, std::move(x), asking_actor});
  }

  void erase(unix_ms updated_before = 0) {
    change(delete_thread{key, updated_before});
  }

  std::size_t changes() const {
    return journal->count<change_thread>();
  }

  /// The journal has made the change.
  void changed() {
    send(aut, thread_changed{});
  }

  refusal refused() {
    const auto& result = std::get<change_result>(store_client->last<store_answer>().result);
    if (!std::holds_alternative<refusal>(result))
      CAF_FAIL("the change was not refused");
    return std::get<refusal>(result);
  }

  /// Until it dies the journal's queue has room for nothing more.
  journal_place fill_queue() {
    return gate->try_enter(2 * 1024 * 1024);
  }
};

} // namespace lang_agent::test
