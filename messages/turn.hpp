/// A turn and an order: the two promises that a request makes on its way to the upstream.
///
/// Both travel by shared pointer with one holder at a time. Whoever drops one without settling it
/// (a full queue, a crashed actor, a mailbox that died) thereby tells the requester: their
/// destructors send the failure. So no request can be forgotten.
#pragma once

#include "messages/chat.hpp"
#include "messages/error.hpp"
#include "messages/interfaces.hpp"
#include "messages/limits.hpp"
#include "messages/route.hpp"
#include "messages/thread_key.hpp"
#include "messages/thread_policy.hpp"
#include "messages/usage_meter.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lang_agent {

class reservation; // of the tenant's ledger, in actors/

/// Null: nobody counts.
using meter_ptr = std::shared_ptr<usage_meter>;

/// Unique in this process. An order has the id of its turn.
using turn_id = std::uint64_t;

turn_id next_turn_id();

struct turn_committed;

/// A tenant's part of what is scarce. Immutable.
struct queue_share {
  std::string tenant = {};
  unsigned weight = 1;              ///< beside other tenants
  std::size_t max_waiting = 10'000; ///< its orders without a place, at all upstreams together
  std::shared_ptr<std::atomic<std::size_t>> waiting = {}; ///< counts them; null: nobody does
};

using share_ptr = std::shared_ptr<const queue_share>;

/// One turn of a conversation, asked for by a request.
class turn {
public:
  explicit turn(request_actor requester);
  ~turn(); ///< fails an unsettled turn with `error_kind::internal`

  turn(const turn&) = delete;
  turn& operator=(const turn&) = delete;

  /// The answer is stored: tells the requester. At most one of the three settles a turn.
  void commit(turn_committed x);

  /// The same request had its turn before: tells the requester with that plain answer.
  void replay(std::shared_ptr<const std::string> json);

  /// The turn ended without an answer: tells the requester.
  void fail(failure why);

  const turn_id id;
  const request_actor requester;
  thread_key key;
  share_ptr share;        ///< its tenant's; null: that of nobody in particular
  bool stateless = false; ///< remembers nothing and is never queued
  std::string request_id;
  std::string answer_id;             ///< of the completion
  std::time_t created = 0;           ///< of the completion
  route_ptr route;                   ///< who may answer
  std::vector<std::size_t> refusing; ///< upstreams that do not take such a request
  chat_parameters parameters;
  message_list instructions; ///< replace the thread's, unless empty
  message_list messages;     ///< all others, as the client sent them
  std::chrono::steady_clock::time_point arrived = {};
  /// What it holds of its tenant's limits; null in tests.
  std::shared_ptr<reservation> in_flight;
  meter_ptr meter;                    ///< of the reservation, and keeps it alive
  std::optional<busy_policy> on_busy; ///< the tenant's own, if it has one
  storage_limits storage;             ///< the tenant's
  /// Keeps its conversation in memory while it lives; set by the directory.
  std::shared_ptr<void> in_conversation;

  // How a retry of the request is known.
  digest request = {};         ///< of the body
  std::string idempotency_key; ///< empty: the client sent none
  bool is_retry = false;       ///< the client says that it sent this before

private:
  void settle(turn_outcome x);

  bool settled_ = false;
};

/// What a turn has used up at upstreams, over all of its orders.
struct spent_upstream {
  unsigned attempts = 0; ///< begun
  /// When its time is over; known from its first attempt on.
  std::chrono::steady_clock::time_point ends = std::chrono::steady_clock::time_point::max();
};

/// How far the pool has got with an order. The pool's own.
struct order_progress {
  std::size_t group = 0;                ///< of the route
  unsigned attempts_in_group = 0;       ///< begun, other keys not counted
  std::vector<std::size_t> failed = {}; ///< upstreams of the group that are not asked again for now
  std::optional<std::size_t> asked = {};    ///< the upstream of the last attempt
  std::vector<std::size_t> tried_keys = {}; ///< of that
  std::vector<std::size_t> suspects = {};   ///< those of them that got a 403
  std::optional<failure> last = {};         ///< of the last attempt
};

/// One completion, asked of the pool by a conversation.
class llm_order {
public:
  llm_order(turn_id order_id, conversation_actor customer_handle, request_actor requester_handle);
  ~llm_order(); ///< fails an unsettled order with `error_kind::internal`

  llm_order(const llm_order&) = delete;
  llm_order& operator=(const llm_order&) = delete;

  void complete(answer x, origin_ptr origin);
  void fail(failure why);
  void forget();

  const turn_id id;
  const conversation_actor customer; ///< gets the complete answer
  const request_actor requester;     ///< gets the deltas of a stream
  std::string request_id;
  chat_parameters parameters;
  message_list prompt;
  std::uint64_t prompt_tokens = 0; ///< estimated
  context_size context;
  route_ptr route;
  std::vector<std::size_t> refusing = {}; ///< upstreams that do not take such a request
  share_ptr share;                        ///< the turn's
  spent_upstream spent;                   ///< from the turn's orders before this one
  order_progress progress;
  meter_ptr meter;        ///< the turn's
  turn_stations stations; ///< up to the order
  std::chrono::steady_clock::time_point queued = {};

private:
  bool settled_ = false;
};

} // namespace lang_agent
