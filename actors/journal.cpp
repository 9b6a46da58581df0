#include "actors/journal.hpp"

#include "messages/protocol.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <spdlog/spdlog.h>

namespace lang_agent {

namespace {

std::shared_ptr<failure> unavailable(const std::exception& e) {
  spdlog::error("storage failed what=\"{}\"", e.what());
  return std::make_shared<failure>(failure{
      error_kind::storage_unavailable, "The server's storage is unavailable. Please retry later."});
}

struct journal_state {
  static inline const char* name = "lang_agent.journal";

  std::shared_ptr<store::thread_store> store;

  void load(const load_thread& x) const {
    thread_loaded out;
    try {
      auto record = store->load(x.key);
      out.instructions = std::move(record.instructions);
      out.history = std::move(record.history);
    } catch (const std::exception& e) {
      out.why = unavailable(e);
    }
    caf::anon_send(x.reply_to, std::move(out));
  }

  void append(store_turn& x) const {
    turn_stored out{x.id, nullptr};
    try {
      store->append({std::move(x.key), std::move(x.instructions), x.keep, std::move(x.messages)});
    } catch (const std::exception& e) {
      out.why = unavailable(e);
    }
    caf::anon_send(x.reply_to, std::move(out));
  }
};

journal_actor::behavior_type journal(journal_actor::stateful_pointer<journal_state> self,
                                     const std::shared_ptr<store::thread_store>& store) {
  self->state.store = store;
  return {
      [self](const load_thread& x) { self->state.load(x); },
      [self](store_turn& x) { self->state.append(x); },
  };
}

} // namespace

journal_actor spawn_journal(caf::actor_system& system, std::shared_ptr<store::thread_store> store) {
  return system.spawn(journal, std::move(store));
}

} // namespace lang_agent
