#include "actors/retention.hpp"

#include "messages/protocol.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>

namespace lang_agent {

namespace {

using namespace std::chrono_literals;

/// Between two steps of one pass.
constexpr std::chrono::milliseconds step_pause = 50ms;
/// Between two passes: a part of the shortest ttl, within these.
constexpr std::chrono::milliseconds shortest_pause = 100ms;
constexpr std::chrono::milliseconds longest_pause = 1h;
constexpr int passes_per_ttl = 16;

struct retention_state {
  static inline const char* name = "lang_agent.retention";

  retention_actor::pointer self = nullptr;
  std::vector<retention_rule> rules;
  directory_shards directory;
  journal_port journal;
  std::size_t at = 0;          ///< rule of the step
  std::string after;           ///< thread where the last step of that rule ended
  std::set<std::string> asked; ///< to be deleted, in the last step

  void step() {
    const auto& rule = rules[at];
    if (!journal.send(ask_store{find_expired{rule.tenant, limit(rule), after}, self}))
      self->delayed_send(self, step_pause, queue_tick{});
  }

  void on_answer(const store_answer& x) {
    const auto* found = std::get_if<query_result>(&x.result);
    const auto* expired = found ? std::get_if<expired_threads>(found) : nullptr;
    go_on(expired ? *expired : expired_threads{}); // a failing store: the next pass sees more
  }

private:
  static unix_ms limit(const retention_rule& rule) {
    return unix_now() - rule.ttl.count();
  }

  void go_on(const expired_threads& x) {
    // A deleted thread is no place to go on from: the step is done again until it finds nothing
    // new.
    if (remove(x.ids) > 0) {
      self->delayed_send(self, step_pause, queue_tick{});
      return;
    }
    asked.clear();
    after = x.after;
    if (after.empty())
      at = (at + 1) % rules.size();
    const bool pass_is_over = after.empty() && at == 0;
    self->delayed_send(self, pass_is_over ? pause() : step_pause, queue_tick{});
  }

  /// How many of them were not asked for before; others have a turn, or are on their way.
  std::size_t remove(const std::vector<std::string>& ids) {
    const auto& rule = rules[at];
    std::size_t count = 0;
    for (const auto& id : ids) {
      if (asked.contains(id))
        continue;
      const thread_key key{rule.tenant, id};
      caf::anon_send(shard_of(directory, key), change_thread{key, delete_thread{key, limit(rule)}});
      ++count;
    }
    asked = {ids.begin(), ids.end()};
    if (count > 0)
      spdlog::info("retention deletes tenant={} threads={}", rule.tenant, count);
    return count;
  }

  std::chrono::milliseconds pause() const {
    const auto shortest = std::min_element(
        rules.begin(), rules.end(), [](const auto& a, const auto& b) { return a.ttl < b.ttl; });
    return std::clamp(shortest->ttl / passes_per_ttl, shortest_pause, longest_pause);
  }
};

retention_actor::behavior_type retention(retention_actor::stateful_pointer<retention_state> self,
                                         const std::vector<retention_rule>& rules,
                                         const directory_shards& directory,
                                         const journal_port& journal) {
  auto& state = self->state;
  state.self = self;
  state.rules = rules;
  state.directory = directory;
  state.journal = journal;
  if (!rules.empty())
    state.step();
  return {
      [self](const store_answer& x) { self->state.on_answer(x); },
      [self](queue_tick) { self->state.step(); },
  };
}

} // namespace

retention_actor spawn_retention(caf::actor_system& system, std::vector<retention_rule> rules,
                                const directory_shards& directory, const journal_port& journal) {
  return system.spawn(retention, std::move(rules), directory, journal);
}

} // namespace lang_agent
