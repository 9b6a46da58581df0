/// The turn that a conversation is running: what is known of it, what it asks of the pool and what
/// it will store. No actor, no I/O. Used by one conversation only.
#pragma once

#include "actors/history.hpp"
#include "actors/joint_turn.hpp"
#include "messages/protocol.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <utility>

namespace lang_agent {

struct running_turn {
  using time_point = turn_stations::time_point;

  explicit running_turn(joint_turn x) : request(std::move(x)) {}

  /// The order of its prompt, which goes with it.
  order_ptr order(const conversation_actor& customer, std::uint64_t prompt_tokens, time_point now);

  /// The upstream is done.
  void complete(order_completed x, time_point now);

  /// What the store gets of a complete turn. Makes its JSON.
  turn_record record(const history& thread, const thread_key& key,
                     std::chrono::milliseconds replay_window);

  joint_turn request;
  planned_turn plan = {};
  bool ordered = false;                      ///< the pool has the order
  bool shortened = false;                    ///< asked again with less context
  std::shared_ptr<const answer> result = {}; ///< set once the upstream is done
  origin_ptr origin = {};                    ///< of the result
  turn_stations stations = {};
  spent_upstream spent = {};                    ///< by earlier orders
  std::shared_ptr<const std::string> json = {}; ///< the same as the plain answer
};

} // namespace lang_agent
