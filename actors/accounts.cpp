#include "actors/accounts.hpp"

#include "actors/account_messages.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <spdlog/spdlog.h>

#include <deque>

namespace lang_agent {

namespace {

/// Between two looks for last uses of keys.
constexpr std::chrono::seconds use_interval{60};
/// Commands that wait for those before them.
constexpr std::size_t max_waiting = 256;

/// A command that the store is working on.
struct running_command {
  change_account command;
  account_plan plan;
};

struct accounts_state {
  static inline const char* name = "lang_agent.accounts";

  accounts_actor::pointer self = nullptr;
  accounts_options options;
  std::deque<change_account> waiting;
  std::optional<running_command> running;

  void on_configured(tenants_configured& x) {
    const auto count = x.tenants.size();
    options.book->configure(std::move(x.tenants), std::move(x.prices));
    publish();
    spdlog::info("config reloaded tenants={}", count);
  }

  void on_question(const ask_account& x) {
    note_uses();
    const auto& book = *options.book;
    switch (x.what) {
    case account_subject::tenants:
      return tell(x.reply_to, {book.list_tenants()});
    case account_subject::tenant:
      return tell(x.reply_to, {book.show_tenant(x.id)});
    case account_subject::keys:
      return tell(x.reply_to, {book.list_keys(x.id)});
    }
  }

  void on_command(change_account& x) {
    if (waiting.size() >= max_waiting) {
      tell(x.reply_to, {journal_full()});
      return;
    }
    waiting.push_back(std::move(x));
    next();
  }

  void on_stored(const store_answer& x) {
    if (!running)
      return;
    const auto [command, plan] = std::move(*running);
    running.reset();
    if (auto why = problem_of(x)) {
      tell(command.reply_to, {std::move(*why)});
    } else {
      const auto& audit = plan.change.audit;
      spdlog::info("admin who={} action={} subject={}", audit.who, audit.action, audit.object);
      options.book->apply(plan.change);
      publish();
      tell(command.reply_to, {options.book->result_of(command.what, plan)});
    }
    next();
  }

  void on_tick() {
    note_uses();
    self->delayed_send(self, use_interval, queue_tick{});
  }

private:
  /// Starts the next command.
  void next() {
    while (!running && !waiting.empty()) {
      auto command = std::move(waiting.front());
      waiting.pop_front();
      auto planned = options.book->plan(command.what, command.who, unix_now());
      if (auto* why = std::get_if<failure>(&planned)) {
        tell(command.reply_to, {std::move(*why)});
        continue;
      }
      auto& plan = std::get<account_plan>(planned);
      if (options.journal.send(change_accounts{plan.change, self}))
        running.emplace(running_command{std::move(command), std::move(plan)});
      else
        tell(command.reply_to, {journal_full()});
    }
  }

  static std::optional<failure> problem_of(const store_answer& x) {
    if (const auto* why = std::get_if<failure>(&x.result))
      return *why;
    const auto* made = std::get_if<change_result>(&x.result);
    if (made && !std::holds_alternative<refusal>(*made))
      return std::nullopt;
    spdlog::error("accounts are not what the store has hint=\"restart the server\"");
    return internal_failure();
  }

  void publish() {
    note_uses(); // the new snapshot begins with what is known
    options.tenants->publish(options.book->make_table());
    if (options.on_change)
      options.on_change(options.book->tenants());
  }

  void note_uses() {
    auto uses = options.book->take_key_uses(*options.tenants->current());
    if (!uses.used.empty())
      options.journal.send(note_key_use{std::move(uses)});
  }

  static void tell(const account_client_actor& to, account_answer x) {
    caf::anon_send(to, std::move(x));
  }
};

accounts_actor::behavior_type accounts(accounts_actor::stateful_pointer<accounts_state> self,
                                       const accounts_options& options) {
  auto& state = self->state;
  state.self = self;
  state.options = options;
  self->delayed_send(self, use_interval, queue_tick{});
  return {
      [self](tenants_configured& x) { self->state.on_configured(x); },
      [self](const ask_account& x) { self->state.on_question(x); },
      [self](change_account& x) { self->state.on_command(x); },
      [self](const store_answer& x) { self->state.on_stored(x); },
      [self](queue_tick) { self->state.on_tick(); },
  };
}

} // namespace

accounts_actor spawn_accounts(caf::actor_system& system, accounts_options options) {
  return system.spawn(accounts, std::move(options));
}

} // namespace lang_agent
