#include "actors/directory.hpp"

#include "messages/protocol.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <spdlog/spdlog.h>

#include <algorithm>
#include <list>
#include <unordered_map>

namespace lang_agent {

namespace {

using namespace std::chrono_literals;

/// Bounds the search for memory to free that one turn may cost.
constexpr std::size_t residents_per_turn = 64;

/// A conversation that is awake.
struct resident {
  thread_key key;
  conversation_actor conversation;
  footprint_ptr memory;
  std::shared_ptr<void> busy; ///< shared with everything that the conversation still has to do
  std::chrono::steady_clock::time_point last_used;

  bool is_idle() const {
    return busy.use_count() == 1;
  }
};

using resident_list = std::list<resident>;

struct directory_state {
  static inline const char* name = "lang_agent.directory";

  directory_actor::pointer self = nullptr;
  directory_options options;
  conversation_factory make;
  resident_list residents; ///< the least recently used first
  std::unordered_map<thread_key, resident_list::iterator> by_key;
  std::unordered_map<caf::actor_id, resident_list::iterator> by_id;
  std::unordered_map<turn_id, conversation_actor> stateless; ///< each with one turn
  std::unordered_map<caf::actor_id, turn_id> stateless_turns;
  bool ticking = false;

  ~directory_state() {
    for (const auto& x : residents)
      end(x.conversation);
    for (const auto& [id, conversation] : stateless)
      end(conversation);
  }

  void on_turn(turn_ptr turn) {
    if (turn->stateless) {
      const auto to = add_stateless(*turn);
      caf::anon_send(to, std::move(turn));
      return;
    }
    auto& to = find(turn->key);
    turn->in_conversation = to.busy;
    caf::anon_send(to.conversation, std::move(turn));
    make_room(residents_per_turn);
  }

  void on_cancelled(const turn_cancelled& x) {
    if (const auto alone = stateless.find(x.id); alone != stateless.end())
      caf::anon_send(alone->second, x);
    else if (const auto found = by_key.find(x.key); found != by_key.end())
      caf::anon_send(found->second->conversation, x);
  }

  /// Without a conversation there is nobody to ask: one that comes later loads what this leaves.
  void on_change(change_thread& x) {
    if (const auto found = by_key.find(x.key); found != by_key.end()) {
      x.in_conversation = found->second->busy;
      caf::anon_send(found->second->conversation, std::move(x));
      return;
    }
    const auto client = x.reply_to;
    if (!options.journal.send(std::move(x)) && client)
      caf::anon_send(client, store_answer{journal_full()});
  }

  void on_down(const caf::down_msg& x) {
    if (const auto alone = stateless_turns.find(x.source.id()); alone != stateless_turns.end()) {
      stateless.erase(alone->second);
      stateless_turns.erase(alone);
      return;
    }
    const auto found = by_id.find(x.source.id());
    if (found == by_id.end())
      return; // it was let go
    spdlog::error("conversation ended unexpectedly tenant={}", found->second->key.tenant);
    forget(found->second);
  }

  void on_tick() {
    ticking = false;
    const auto now = self->clock().now();
    for (auto n = residents.size(); n > 0; --n) {
      const auto oldest = residents.begin();
      if (now - oldest->last_used < options.idle_after)
        break;
      if (oldest->is_idle())
        let_go(oldest);
      else
        touch(oldest);
    }
    make_room(residents.size());
    give_back(by_key);
    give_back(by_id);
    watch();
  }

private:
  static void end(const conversation_actor& x) {
    caf::anon_send_exit(x, caf::exit_reason::user_shutdown);
  }

  /// A stateless turn has a conversation to itself, known by the turn until it ends.
  conversation_actor add_stateless(const turn& x) {
    auto made = make(x.key, true, std::make_shared<footprint>(options.memory));
    stateless.emplace(x.id, made);
    stateless_turns.emplace(made.id(), x.id);
    self->monitor(made);
    return made;
  }

  resident& find(const thread_key& key) {
    const auto [entry, is_new] = by_key.try_emplace(key);
    if (!is_new) {
      touch(entry->second);
      return *entry->second;
    }
    auto memory = std::make_shared<footprint>(options.memory);
    auto conversation = make(key, false, memory);
    entry->second =
        residents.insert(residents.end(), {key, std::move(conversation), std::move(memory),
                                           std::make_shared<char>(), self->clock().now()});
    by_id.emplace(entry->second->conversation.id(), entry->second);
    self->monitor(entry->second->conversation);
    watch();
    return *entry->second;
  }

  void touch(resident_list::iterator x) {
    x->last_used = self->clock().now();
    residents.splice(residents.end(), residents, x);
  }

  /// Nothing is lost: it has nothing to do, and all later turns pass here.
  void let_go(resident_list::iterator x) {
    self->demonitor(x->conversation.address());
    end(x->conversation);
    forget(x);
  }

  void forget(resident_list::iterator x) {
    by_id.erase(x->conversation.id());
    by_key.erase(x->key);
    residents.erase(x);
  }

  /// When all shards together take too much memory, the least recently used of this one leave.
  /// Looks at `count` of them at most. What leaves is free a moment later, so it is counted here.
  void make_room(std::size_t count) {
    const auto taken = options.memory->load(std::memory_order_relaxed);
    if (options.max_active_bytes == 0 || taken <= options.max_active_bytes)
      return;
    auto excess = taken - options.max_active_bytes;
    for (auto x = residents.begin(); x != residents.end() && excess > 0 && count > 0; --count) {
      const auto next = std::next(x);
      if (x->is_idle()) {
        excess -= std::min(excess, x->memory->bytes());
        let_go(x);
      }
      x = next;
    }
  }

  /// Tables keep the size that they had for the most residents.
  template <class Table>
  static void give_back(Table& x) {
    if (x.bucket_count() > 8 * (x.size() + 8))
      x.rehash(0);
  }

  /// A sweep runs only while somebody is awake.
  void watch() {
    if (ticking || residents.empty())
      return;
    ticking = true;
    self->delayed_send(self,
                       std::clamp<std::chrono::milliseconds>(options.idle_after / 4, 10ms, 10s),
                       queue_tick{});
  }
};

directory_actor::behavior_type directory(directory_actor::stateful_pointer<directory_state> self,
                                         const directory_options& options,
                                         const conversation_factory& make) {
  self->state.self = self;
  self->state.options = options;
  self->state.make = make;
  self->set_down_handler([self](const caf::down_msg& x) { self->state.on_down(x); });
  return {
      [self](turn_ptr& x) { self->state.on_turn(std::move(x)); },
      [self](const turn_cancelled& x) { self->state.on_cancelled(x); },
      [self](change_thread& x) { self->state.on_change(x); },
      [self](queue_tick) { self->state.on_tick(); },
  };
}

} // namespace

directory_actor spawn_directory(caf::actor_system& system, const directory_options& options,
                                conversation_factory make) {
  return system.spawn(directory, options, std::move(make));
}

} // namespace lang_agent
