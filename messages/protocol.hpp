/// Every message that actors exchange, grouped by who receives it.
///
/// All are one-way: each carries the handle to answer where an answer is due. They hold handles and
/// shared pointers, so they stay inside one process.
#pragma once

#include "messages/chat.hpp"
#include "messages/error.hpp"
#include "messages/interfaces.hpp"
#include "messages/thread_key.hpp"
#include "messages/threads.hpp"
#include "messages/turn.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/type_id.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace lang_agent {

// -- to the request actor -------------------------------------------------------------------------

/// Deltas of the answer, in order. Their cost is taken from the client actor's credit and is given
/// back with `credit_granted` when the connection has written them.
struct answer_deltas {
  turn_id id;
  llm_client_actor from;
  context_size context;
  std::vector<choice_delta> deltas;
  origin_ptr origin = {};
};

/// The turn is stored; what is left of the answer may go out.
struct turn_committed {
  std::shared_ptr<const answer> result;
  std::shared_ptr<const std::string> json; ///< the plain answer; null: not made yet
  context_size context;
  origin_ptr origin = {};
  turn_stations stations = {};
};

/// The request had its turn before: this was the plain answer.
struct turn_replayed {
  std::shared_ptr<const std::string> json;
};

/// The turn ended without an answer and left no trace.
struct turn_failed {
  failure why;
};

/// The connection has written so many bytes of the stream.
struct stream_drained {
  std::size_t bytes;
};

/// The client has been sent nothing for as long as a proxy may bear.
struct stream_silent {};

/// The client closed its connection before the answer was complete.
struct client_gone {};

// -- to the directory and the conversation --------------------------------------------------------

/// The requester no longer wants this turn, queued or running.
struct turn_cancelled {
  thread_key key;
  turn_id id;
};

/// Answer of the journal to `load_thread`.
struct thread_loaded {
  thread_record record;
  std::shared_ptr<failure> why; ///< set: the thread could not be loaded
  tenant_totals totals = {};    ///< what its tenant has at that moment
};

/// Answer of the journal to `find_answer`.
struct answer_found {
  turn_id id;
  replay_result result;
  std::shared_ptr<failure> why; ///< set: it could not be looked up
};

/// The upstream's complete answer to an order.
struct order_completed {
  turn_id id;
  std::shared_ptr<answer> result;
  origin_ptr origin = {};
};

struct order_failed {
  turn_id id;
  failure why;
  spent_upstream spent = {};
};

/// Answer of the journal to `store_turn`.
struct turn_stored {
  turn_id id;
  std::shared_ptr<failure> why; ///< set: nothing was stored
};

/// A change that went through the conversation was made, or not; what it has loaded is out of date.
struct thread_changed {};

/// Time to look for what waited too long, was idle too long, or has to be cleared away.
struct queue_tick {};

// -- to the pool and the LLM client ---------------------------------------------------------------

struct order_cancelled {
  turn_id id;
};

/// One try of an order.
struct llm_attempt {
  order_ptr order;
  std::size_t upstream;          ///< its number
  std::size_t key;               ///< number among the upstream's keys
  bool tell_first_token = false; ///< the pool wants an `attempt_begun`
};

/// The first delta of a stream has come.
struct attempt_begun {
  turn_id id;
  std::chrono::nanoseconds ttft;
};

/// A client has finished its attempt and can take the next.
struct llm_client_idle {
  llm_client_actor client;
  turn_id last;
  bool completed;                               ///< else it was cancelled
  std::optional<std::chrono::nanoseconds> ttft; ///< to the first delta of a stream
};

/// An attempt failed; the client can take the next.
struct attempt_failed {
  llm_client_actor client;
  order_ptr order;
  failure why;
  bool begun; ///< the requester has seen deltas
};

/// It is time for the next attempt.
struct retry_due {
  turn_id id;
};

/// Answer to an active probe.
struct upstream_probed {
  std::size_t upstream;
  bool healthy;
};

/// So many more bytes of deltas may be sent to the requester.
struct credit_granted {
  turn_id id;
  std::size_t bytes;
};

/// From the exchange with the upstream, in this order: any number of deltas, then one of the other
/// two. `id` is the order's, so that a late event of a cancelled exchange is told from a current
/// one.
struct upstream_deltas {
  turn_id id;
  std::vector<choice_delta> deltas;
};

struct upstream_completed {
  turn_id id;
  std::shared_ptr<answer> result;
};

struct upstream_failed {
  turn_id id;
  failure why;
};

// -- to the journal -------------------------------------------------------------------------------

/// A place in the journal's bounded queue; free when the last copy dies.
using journal_place = std::shared_ptr<void>;

struct load_thread {
  thread_key key;
  context_limits limits;
  conversation_actor reply_to;
  journal_place place = {};
};

struct find_answer {
  turn_id id;
  replay_query query;
  conversation_actor reply_to;
  journal_place place = {};
};

/// Append a turn. It is stored whole or not at all.
struct store_turn {
  turn_id id;
  turn_record turn;
  conversation_actor reply_to;
  journal_place place = {};
};

struct ask_store {
  store_query query;
  store_client_actor reply_to;
  journal_place place = {};
};

/// A change for the thread API. Those of a whole thread go through its conversation, by way of the
/// directory: nobody else may change a history under it.
struct change_thread {
  thread_key key; ///< the thread that is changed
  store_change change;
  store_client_actor reply_to = {}; ///< gets a `store_answer`; null: nobody waits for it
  conversation_actor through = {};  ///< gets a `thread_changed`; null: no conversation is involved
  journal_place place = {};
  std::shared_ptr<void> in_conversation = {}; ///< see `turn::in_conversation`
};

/// A change of tenants and keys.
struct change_accounts {
  admin_change change;
  store_client_actor reply_to = {}; ///< gets a `store_answer`; null: nobody waits for it
  journal_place place = {};
};

/// Usage that belongs to no stored turn. It goes with the next group, or by itself within a second:
/// a crash loses no more than that.
struct note_usage {
  add_usage rows;
  journal_place place = {};
};

/// Likewise the last uses of keys.
struct note_key_use {
  touch_keys used;
  journal_place place = {};
};

/// To itself: what was noted may have waited long enough.
struct notes_due {};

/// To itself: everything that was in the mailbox when the first change came is in the group now.
struct commit_group {};

// -- to a request about threads
// --------------------------------------------------------------------

/// Answer of the journal to `ask_store`, `change_thread` and `change_accounts`.
struct store_answer {
  std::variant<failure, query_result, change_result> result;
};

/// The piece of the body that was asked for.
struct body_arrived {
  std::string piece;
  bool last;
};

} // namespace lang_agent

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::turn_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::order_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::answer_deltas)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::turn_committed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::turn_replayed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::turn_failed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::stream_drained)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::stream_silent)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::client_gone)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::turn_cancelled)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::thread_loaded)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::order_completed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::order_failed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::turn_stored)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::queue_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::order_cancelled)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::llm_attempt)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::attempt_begun)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::attempt_failed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::retry_due)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::upstream_probed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::llm_client_idle)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::credit_granted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::upstream_deltas)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::upstream_completed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::upstream_failed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::load_thread)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::store_turn)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::answer_found)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::thread_changed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::find_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::ask_store)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::change_thread)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::change_accounts)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::note_usage)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::note_key_use)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::notes_due)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::commit_group)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::store_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::body_arrived)
