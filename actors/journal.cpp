#include "actors/journal.hpp"

#include "actors/journal_notes.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <spdlog/spdlog.h>

#include <utility>

namespace lang_agent {

namespace {

/// Changes of one transaction at most: bounds the work that a failing commit throws away.
constexpr std::size_t max_group = 512;
/// Of them, for what was noted: usage, and last uses of keys.
constexpr std::size_t note_changes = 2;
/// Rows of usage, and keys, that are summed up until they are committed.
constexpr std::size_t max_notes = 1024;
/// What a queued message costs beside its content.
constexpr std::size_t message_bytes = 1024;

failure unavailable(const std::exception& e) {
  spdlog::error("storage failed what=\"{}\"", e.what());
  failure out{error_kind::storage_unavailable,
              "The server's storage is unavailable. Please retry later."};
  out.retry_after = "1";
  return out;
}

/// Why a turn could not be stored although the store works.
failure refused(refusal why) {
  switch (why) {
  case refusal::key_used:
    return {error_kind::idempotency_key_conflict,
            "The Idempotency-Key was used for another request meanwhile."};
  case refusal::thread_full:
    return {error_kind::invalid_request,
            "The thread is full. Fork it at a later message, or start a new one.", "thread_id"};
  case refusal::too_many_threads:
  case refusal::too_many_bytes:
    return storage_limit_reached(why);
  default:
    return {error_kind::thread_changed,
            "The thread was changed while this turn was running. Please retry."};
  }
}

struct journal_state {
  static inline const char* name = "lang_agent.journal";

  journal_actor::pointer self = nullptr;
  std::shared_ptr<store::thread_store> store;
  journal_options options;

  // The group that is being formed: changes, and who waits for them.
  struct customer {
    turn_id turn = 0; ///< 0: a change of the thread API
    conversation_actor conversation;
    store_client_actor client = {};
    journal_place place = {};
    std::shared_ptr<void> in_conversation = {};
    bool is_note = false; ///< nobody; it is made later if it cannot be made now
  };
  std::vector<store_change> changes;
  std::vector<customer> customers;
  bool has_other_changes = false; ///< some of them are no turns

  journal_notes notes{max_notes};
  bool notes_failed = false;    ///< lately: they are not to spoil the groups of others
  bool waits_for_notes = false; ///< a `notes_due` is on its way

  void on_load(const load_thread& x) {
    settle_other_changes();
    thread_loaded out;
    try {
      out.record = store->load(x.key, x.limits);
      out.totals = std::get<tenant_totals>(store->ask(read_totals{x.key.tenant}));
    } catch (const std::exception& e) {
      out.why = std::make_shared<failure>(unavailable(e));
    }
    caf::anon_send(x.reply_to, std::move(out));
  }

  void on_find(const find_answer& x) {
    settle_other_changes();
    answer_found out{x.id, {}, nullptr};
    try {
      out.result = store->find_replay(x.query);
    } catch (const std::exception& e) {
      out.why = std::make_shared<failure>(unavailable(e));
    }
    caf::anon_send(x.reply_to, std::move(out));
  }

  void on_query(const ask_store& x) {
    if (std::holds_alternative<read_usage>(x.query)
        || std::holds_alternative<list_accounts>(x.query))
      commit_with_notes();
    settle_other_changes();
    store_answer out;
    try {
      out.result = store->ask(x.query);
    } catch (const std::exception& e) {
      out.result = unavailable(e);
    }
    caf::anon_send(x.reply_to, std::move(out));
  }

  void on_turn(store_turn& x) {
    add(std::move(x.turn), {x.id, std::move(x.reply_to), {}, std::move(x.place)});
  }

  void on_accounts(change_accounts& x) {
    has_other_changes = true;
    add(std::move(x.change), {0, {}, std::move(x.reply_to), std::move(x.place)});
  }

  /// Its place in the queue is free again at once: the sums have a bound of their own.
  template <class Note>
  void on_note(const Note& x) {
    notes.add(x, self->clock().now());
    if (notes.is_full() && !notes_failed)
      commit_with_notes();
    wait_for_notes(options.note_delay);
  }

  void on_change(change_thread& x) {
    has_other_changes = true;
    add(std::move(x.change), {0, std::move(x.through), std::move(x.reply_to), std::move(x.place),
                              std::move(x.in_conversation)});
  }

  void commit();
  void commit_with_notes();
  void on_notes_due();
  void on_exit();
  void on_tick();

private:
  /// Whoever asks after a deletion was sent must not see what it deletes. A turn that waits for its
  /// commit needs no such care: its conversation reads nothing before it hears of it.
  void settle_other_changes() {
    if (has_other_changes)
      commit();
  }

  void add(store_change change, customer who) {
    changes.push_back(std::move(change));
    customers.push_back(std::move(who));
    if (changes.size() >= max_group - note_changes)
      commit();
    else if (changes.size() == 1)
      caf::anon_send(journal_actor{self}, commit_group{});
  }

  void take_notes();
  void put_back(const store_change& note);
  void wait_for_notes(std::chrono::nanoseconds delay);
  void commit_taken();
  void commit_part(std::size_t first, std::size_t count);
  void end_failed(std::size_t i, const std::exception& e);
  static void tell(const customer& who, const change_result& result);
  static void tell(const customer& who, const failure& why);
  static void tell_client(const customer& who, store_answer answer);
};

void journal_state::commit() {
  if (changes.empty())
    return;
  if (!notes_failed)
    take_notes();
  commit_taken();
}

/// For when they have waited long enough, or no longer can.
void journal_state::commit_with_notes() {
  commit();
  take_notes();
  commit_taken();
}

void journal_state::commit_taken() {
  if (changes.empty())
    return;
  commit_part(0, changes.size());
  has_other_changes = false;
  changes.clear();
  customers.clear();
}

void journal_state::commit_part(std::size_t first, std::size_t count) {
  std::vector<change_result> results;
  try {
    results = store->commit({changes.data() + first, count});
  } catch (const std::exception& e) {
    if (count == 1)
      return end_failed(first, e);
    for (auto i = first; i < first + count; ++i)
      commit_part(i, 1);
    return;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const auto& who = customers[first + i];
    if (!who.is_note)
      tell(who, results[i]);
  }
}

void journal_state::end_failed(std::size_t i, const std::exception& e) {
  const auto why = unavailable(e);
  if (customers[i].is_note)
    put_back(changes[i]);
  else
    tell(customers[i], why);
}

// -- notes ----------------------------------------------------------------------------------------

void journal_state::take_notes() {
  notes_failed = false; // until one of them does
  for (auto& x : notes.take()) {
    changes.push_back(std::move(x));
    customers.emplace_back().is_note = true;
  }
}

/// They are made by themselves from now on, until that succeeds.
void journal_state::put_back(const store_change& note) {
  notes_failed = true;
  const auto now = self->clock().now();
  if (const auto* usage = std::get_if<add_usage>(&note))
    notes.add(*usage, now);
  else if (const auto* used = std::get_if<touch_keys>(&note))
    notes.add(*used, now);
  wait_for_notes(options.note_delay);
}

void journal_state::wait_for_notes(std::chrono::nanoseconds delay) {
  if (notes.empty() || std::exchange(waits_for_notes, true))
    return;
  self->delayed_send(self, delay, notes_due{});
}

/// Groups have taken what it was set for, as a rule: then it waits for what has come since.
void journal_state::on_notes_due() {
  waits_for_notes = false;
  if (const auto lost = notes.take_lost())
    spdlog::error("usage lost, storage failed rows={}", lost);
  if (notes.empty())
    return;
  const auto waited = self->clock().now() - notes.since();
  if (waited >= options.note_delay)
    commit_with_notes();
  else
    wait_for_notes(options.note_delay - waited);
}

void journal_state::on_exit() {
  commit_with_notes();
  if (!notes.empty())
    spdlog::error("usage lost, storage failed at the end");
}

void journal_state::tell(const customer& who, const change_result& result) {
  if (who.turn == 0) {
    tell_client(who, {result});
    return;
  }
  turn_stored out{who.turn, nullptr};
  if (const auto* why = std::get_if<refusal>(&result))
    out.why = std::make_shared<failure>(refused(*why));
  caf::anon_send(who.conversation, std::move(out));
}

void journal_state::tell(const customer& who, const failure& why) {
  if (who.turn == 0)
    tell_client(who, {why});
  else
    caf::anon_send(who.conversation, turn_stored{who.turn, std::make_shared<failure>(why)});
}

/// Nobody waits for some changes; some went through a conversation.
void journal_state::tell_client(const customer& who, store_answer answer) {
  if (who.conversation)
    caf::anon_send(who.conversation, thread_changed{});
  if (who.client)
    caf::anon_send(who.client, std::move(answer));
}

/// Clears away in small steps, each behind what waits in the mailbox.
void journal_state::on_tick() {
  bool more = false;
  try {
    more = store->sweep(unix_now() - options.replay_window.count());
  } catch (const std::exception& e) {
    unavailable(e);
  }
  if (more)
    caf::anon_send(journal_actor{self}, queue_tick{});
  else
    self->delayed_send(self, options.sweep_interval, queue_tick{});
}

using journal_pointer = journal_actor::stateful_pointer<journal_state>;

journal_actor::behavior_type journal(journal_pointer self,
                                     const std::shared_ptr<store::thread_store>& store,
                                     const journal_options& options) {
  auto& state = self->state;
  state.self = self;
  state.store = store;
  state.options = options;
  self->set_exit_handler([self](const caf::exit_msg& x) {
    self->state.on_exit();
    self->quit(x.reason);
  });
  self->delayed_send(self, options.sweep_interval, queue_tick{});
  return {
      [self](const load_thread& x) { self->state.on_load(x); },
      [self](const find_answer& x) { self->state.on_find(x); },
      [self](store_turn& x) { self->state.on_turn(x); },
      [self](const ask_store& x) { self->state.on_query(x); },
      [self](change_thread& x) { self->state.on_change(x); },
      [self](change_accounts& x) { self->state.on_accounts(x); },
      [self](const note_usage& x) { self->state.on_note(x.rows); },
      [self](const note_key_use& x) { self->state.on_note(x.used); },
      [self](notes_due) { self->state.on_notes_due(); },
      [self](commit_group) { self->state.commit(); },
      [self](queue_tick) { self->state.on_tick(); },
  };
}

} // namespace

journal_actor spawn_journal(caf::actor_system& system, std::unique_ptr<store::thread_store> opened,
                            const journal_options& options) {
  std::shared_ptr<store::thread_store> store{std::move(opened)}; // CAF copies arguments
  if (options.own_thread)
    return system.spawn<caf::detached>(journal, std::move(store), options);
  return system.spawn(journal, std::move(store), options);
}

journal_place journal_gate::try_enter(std::size_t bytes) {
  bytes += message_bytes;
  auto before = queued_.load(std::memory_order_relaxed);
  do {
    if (before >= max_bytes_)
      return nullptr;
  } while (!queued_.compare_exchange_weak(before, before + bytes, std::memory_order_relaxed));
  return {static_cast<void*>(this),
          [gate = shared_from_this(), bytes](void*) { gate->queued_.fetch_sub(bytes); }};
}

failure storage_limit_reached(refusal why) {
  if (why == refusal::too_many_threads)
    return {error_kind::too_many_threads,
            "You have as many threads as you may. Delete some that you no longer need "
            "(DELETE /v1/threads/{id}), or ask your administrator for more."};
  return {error_kind::too_many_bytes,
          "Your threads take as much storage as they may. Delete some that you no longer need "
          "(DELETE /v1/threads/{id}), or ask your administrator for more."};
}

failure journal_full() {
  failure out{error_kind::storage_unavailable,
              "The server's storage is too slow for its load. Please retry later."};
  out.retry_after = "1";
  return out;
}

} // namespace lang_agent
