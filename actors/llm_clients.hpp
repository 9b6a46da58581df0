/// The LLM client actors of the pool: idle ones, and who runs which order. Used by the pool only.
#pragma once

#include "actors/llm_pool.hpp"
#include "actors/upstream_state.hpp"
#include "messages/protocol.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace lang_agent {

/// An attempt that a client runs.
struct running_attempt {
  llm_client_actor client;
  std::size_t upstream;
  attempt_ticket ticket;
  std::vector<std::size_t> suspects = {}; ///< keys that the upstream refused for this order
  bool cancelled = false;                 ///< nobody wants it any more, whatever becomes of it
};

class llm_clients {
public:
  /// `make` spawns one and sees to it that the pool hears of its death.
  explicit llm_clients(std::function<llm_client_actor()> make) : make_(std::move(make)) {}

  ~llm_clients() {
    for (const auto& [id, client] : clients_)
      end(client);
  }

  llm_clients(const llm_clients&) = delete;
  llm_clients& operator=(const llm_clients&) = delete;

  void run(order_ptr order, std::size_t upstream, const attempt_ticket& ticket,
           bool tell_first_token) {
    if (idle_.empty()) {
      idle_.push_back(make_());
      clients_.emplace(idle_.back().id(), idle_.back());
    }
    auto client = std::move(idle_.back());
    idle_.pop_back();
    const auto id = order->id;
    auto suspects = order->progress.suspects;
    caf::anon_send(client, llm_attempt{std::move(order), upstream, ticket.key, tell_first_token});
    running_.insert_or_assign(
        id, running_attempt{std::move(client), upstream, ticket, std::move(suspects), false});
  }

  /// The attempt is over and its client idle. Nothing: another client runs the order by now.
  std::optional<running_attempt> finished(turn_id id, const llm_client_actor& client) {
    if (clients_.contains(client.id()))
      rest(client);
    const auto found = running_.find(id);
    if (found == running_.end() || found->second.client != client)
      return std::nullopt;
    auto out = std::move(found->second);
    running_.erase(found);
    return out;
  }

  /// Null: nobody runs it.
  running_attempt* find(turn_id id) {
    const auto found = running_.find(id);
    return found == running_.end() ? nullptr : &found->second;
  }

  /// A client has died. Returns what it ran, if anything; nothing was known of it: false.
  bool died(caf::actor_id id, std::vector<running_attempt>& lost) {
    if (clients_.erase(id) == 0)
      return false; // it was let go
    const auto is_it = [&](const llm_client_actor& x) { return x.id() == id; };
    idle_.erase(std::remove_if(idle_.begin(), idle_.end(), is_it), idle_.end());
    for (const auto& [order, x] : running_)
      if (is_it(x.client))
        lost.push_back(x);
    std::erase_if(running_, [&](const auto& entry) { return is_it(entry.second.client); });
    return true;
  }

private:
  /// Idle clients above this number end: a burst leaves no thousands of actors behind.
  static constexpr std::size_t max_idle = 256;

  static void end(const llm_client_actor& x) {
    caf::anon_send_exit(x, caf::exit_reason::user_shutdown);
  }

  void rest(const llm_client_actor& client) {
    if (idle_.size() < max_idle) {
      idle_.push_back(client);
      return;
    }
    clients_.erase(client.id());
    end(client);
  }

  std::function<llm_client_actor()> make_;
  std::unordered_map<caf::actor_id, llm_client_actor> clients_;
  std::vector<llm_client_actor> idle_; ///< the last used at the end
  std::unordered_map<turn_id, running_attempt> running_;
};

} // namespace lang_agent
