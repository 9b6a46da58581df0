#include "actors/directory.hpp"

#include "messages/protocol.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <spdlog/spdlog.h>

#include <unordered_map>

namespace lang_agent {

namespace {

struct directory_state {
  static inline const char* name = "lang_agent.directory";

  directory_actor::pointer self = nullptr;
  conversation_factory make;
  std::unordered_map<thread_key, conversation_actor> conversations;
  std::unordered_map<caf::actor_id, thread_key> keys;
  std::unordered_map<turn_id, conversation_actor> stateless; ///< each with one turn
  std::unordered_map<caf::actor_id, turn_id> stateless_turns;

  ~directory_state() {
    for (const auto& [key, conversation] : conversations)
      caf::anon_send_exit(conversation, caf::exit_reason::user_shutdown);
    for (const auto& [id, conversation] : stateless)
      caf::anon_send_exit(conversation, caf::exit_reason::user_shutdown);
  }

  void on_turn(turn_ptr turn) {
    const auto& to = turn->stateless ? add_stateless(*turn) : find(turn->key);
    caf::anon_send(to, std::move(turn));
  }

  void on_cancelled(const turn_cancelled& x) {
    if (const auto alone = stateless.find(x.id); alone != stateless.end())
      caf::anon_send(alone->second, x);
    else if (const auto found = conversations.find(x.key); found != conversations.end())
      caf::anon_send(found->second, x);
  }

  void on_down(const caf::down_msg& x) {
    if (const auto alone = stateless_turns.find(x.source.id()); alone != stateless_turns.end()) {
      stateless.erase(alone->second);
      stateless_turns.erase(alone);
      return;
    }
    const auto found = keys.find(x.source.id());
    if (found == keys.end())
      return;
    if (x.reason && x.reason != caf::exit_reason::user_shutdown)
      spdlog::error("conversation ended unexpectedly tenant={}", found->second.tenant);
    conversations.erase(found->second);
    keys.erase(found);
  }

private:
  /// A stateless turn has a conversation to itself, known by the turn until it ends.
  const conversation_actor& add_stateless(const turn& x) {
    const auto entry = stateless.emplace(x.id, make(x.key, true)).first;
    stateless_turns.emplace(entry->second.id(), x.id);
    self->monitor(entry->second);
    return entry->second;
  }

  const conversation_actor& find(const thread_key& key) {
    auto [entry, is_new] = conversations.try_emplace(key);
    if (is_new) {
      entry->second = make(key, false);
      keys.emplace(entry->second.id(), key);
      self->monitor(entry->second);
    }
    return entry->second;
  }
};

directory_actor::behavior_type directory(directory_actor::stateful_pointer<directory_state> self,
                                         const conversation_factory& make) {
  self->state.self = self;
  self->state.make = make;
  self->set_down_handler([self](const caf::down_msg& x) { self->state.on_down(x); });
  return {
      [self](turn_ptr& x) { self->state.on_turn(std::move(x)); },
      [self](const turn_cancelled& x) { self->state.on_cancelled(x); },
  };
}

} // namespace

directory_actor spawn_directory(caf::actor_system& system, conversation_factory make) {
  return system.spawn(directory, std::move(make));
}

} // namespace lang_agent
