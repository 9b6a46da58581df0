/// Threads as they are kept: what a store is asked to do, and what it tells. Plain data.
///
/// Times are in milliseconds of Unix time.
#pragma once

#include "messages/accounts.hpp"
#include "messages/chat.hpp"
#include "messages/thread_key.hpp"
#include "messages/unix_time.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace lang_agent {

/// How much of a thread one prompt may hold.
struct context_limits {
  std::size_t max_messages = 0; ///< 0 = unlimited
  std::size_t max_tokens = 0;   ///< estimated; 0 = unlimited

  bool unlimited() const {
    return max_messages == 0 && max_tokens == 0;
  }
};

// -- what a thread is to its conversation ---------------------------------------------------------

/// What the next turn of a thread needs to know. An unknown thread is an empty one of version 0.
struct thread_record {
  std::uint64_t version = 0; ///< changes with every change of the history
  message_list instructions = {};
  message_list history = {}; ///< live messages, oldest first; superseded ones are left out
  std::size_t skipped = 0;   ///< older live messages that were not loaded
};

/// A complete turn, appended as a whole or not at all.
struct turn_record {
  thread_key key;
  std::uint64_t version = 0;                     ///< that the thread must have; one more afterwards
  std::optional<message_list> instructions = {}; ///< the thread's from now on; unset: unchanged
  std::size_t keep = 0;       ///< live messages that stay; those after them become superseded
  message_list messages = {}; ///< new ones, the answer last
  unix_ms at = 0;

  // What a retry of the request is answered with.
  digest request = {};              ///< of the request's body
  std::string idempotency_key = {}; ///< empty: the client sent none
  unix_ms key_since = 0;            ///< older uses of the key do not count
  std::string answer = {};          ///< the plain answer as JSON; empty: none is kept

  std::optional<usage_row> usage = {}; ///< added together with the turn
  // What its tenant may have; 0: unlimited. A turn is refused that would make a thread too many, or
  // that comes when there are as many bytes as there may be: its own may go beyond that.
  std::size_t max_threads = 0;
  std::size_t max_stored_bytes = 0; ///< see `tenant_totals`
};

/// Asks for the answer that was given to the same request before.
struct replay_query {
  thread_key key;
  digest request = {};
  std::string idempotency_key = {}; ///< empty: the same request to the same thread counts
  unix_ms since = 0;                ///< older answers do not count
};

struct replay_result {
  std::string answer = {}; ///< the plain answer as JSON; empty: there is none
  bool conflict = false;   ///< the key belongs to another request of this tenant
};

// -- what the thread API shows --------------------------------------------------------------------

using thread_metadata = std::map<std::string, std::string>;

inline constexpr std::size_t max_metadata_pairs = 16;

struct thread_info {
  std::string id;
  unix_ms created = 0;
  unix_ms updated = 0;
  std::uint64_t turns = 0;
  std::uint64_t messages = 0; ///< live ones, without instructions
  std::uint64_t tokens = 0;   ///< of the live ones, estimated
  thread_metadata metadata = {};
  message_list instructions = {}; ///< filled for a single thread, not in lists
};

struct stored_message {
  std::uint64_t number = 0; ///< unique in its thread, ascending
  unix_ms created = 0;
  bool superseded = false;
  message_ptr message = {};
};

/// One page of a list.
template <class T>
struct page {
  std::vector<T> data = {};
  bool has_more = false;
};

// -- questions to the store -----------------------------------------------------------------------

struct find_thread {
  thread_key key;
};

/// The threads of a tenant in order of creation.
struct list_threads {
  std::string tenant;
  std::size_t limit = 20;
  bool ascending = false;
  std::string after = {}; ///< id of a thread; empty: from the beginning
};

/// The messages of a thread in order of storage.
struct list_messages {
  thread_key key;
  std::size_t limit = 20;
  bool ascending = true;
  std::optional<std::uint64_t> after = {}; ///< number of a message
  bool superseded = false;                 ///< these too
  std::size_t max_bytes = 0;               ///< a page ends when it has so many; 0 = unlimited
};

/// A thread and its first messages, as they are at one moment.
struct read_thread {
  list_messages first;
};

struct thread_with_messages {
  thread_info thread;
  page<stored_message> messages;
};

/// Threads of a tenant that had no turn since, a few at a time.
struct find_expired {
  std::string tenant;
  unix_ms updated_before = 0;
  std::string after = {}; ///< where the last step ended; empty: from the beginning
  std::size_t scan = 256; ///< threads to look at
};

struct expired_threads {
  std::vector<std::string> ids = {};
  std::string after = {}; ///< where to go on; empty: that was the last
};

using store_query = std::variant<find_thread, list_threads, list_messages, read_thread,
                                 find_expired, list_accounts, list_audit, read_usage, read_totals>;

// -- changes of the store -------------------------------------------------------------------------

struct delete_thread {
  thread_key key;
  unix_ms updated_before = 0;  ///< only if it had no turn since; 0: in any case
  bool may_be_missing = false; ///< then that is no refusal
};

/// A new thread with the history of another one of the same tenant.
struct fork_thread {
  thread_key source;
  thread_key target;
  std::optional<std::uint64_t> up_to = {}; ///< number of the last live message to take
  unix_ms at = 0;
  // What the tenant may have, the new thread included; 0: unlimited.
  std::size_t max_threads = 0;
  std::size_t max_stored_bytes = 0;
};

/// Unset values remove their names.
struct change_metadata {
  thread_key key;
  std::map<std::string, std::optional<std::string>> changes;
};

/// The metadata after a change; unset: it would have too many pairs.
std::optional<thread_metadata> changed(thread_metadata before, const change_metadata& x);

/// A piece of a thread that is being imported. Nobody sees it before `finish_import`.
struct import_messages {
  std::string import; ///< names the import; unique in the process
  std::vector<stored_message> messages;
};

/// Makes an import a thread, at once and as a whole.
struct finish_import {
  std::string import;
  thread_key key;
  thread_info info;           ///< created, updated, turns, metadata and instructions count
  std::uint64_t messages = 0; ///< that must have come; 0: any number
  // What the tenant may have, the new thread included; 0: unlimited.
  std::size_t max_threads = 0;
  std::size_t max_stored_bytes = 0;
};

struct discard_import {
  std::string import;
};

using store_change =
    std::variant<turn_record, delete_thread, fork_thread, change_metadata, import_messages,
                 finish_import, discard_import, admin_change, add_usage, touch_keys>;

/// Why a change was not made. All others of its group are not touched by that.
enum class refusal : std::uint8_t {
  no_thread,         ///< or no import, or not all of it
  no_message,        ///< a fork's last message is no live one of the thread
  thread_exists,     ///< the target of a fork or an import
  thread_changed,    ///< its version is not the one expected
  thread_full,       ///< it has more messages than an engine can number
  key_used,          ///< the idempotency key belongs to another turn
  too_much_metadata, ///< more than `max_metadata_pairs`
  too_many_threads,  ///< the tenant has as many as it may
  too_many_bytes,    ///< the tenant has as many as it may, or a fork or an import would go beyond
  no_account,        ///< there is no such tenant or key to remove
  key_taken,         ///< another key has the same digest
};

/// `thread_info`: of a fork, a change of metadata, or a finished import.
using change_result = std::variant<std::monostate, thread_info, refusal>;

/// Unset: there is no such thread, or the cursor is none of the list.
using query_result =
    std::variant<std::monostate, thread_info, page<thread_info>, page<stored_message>,
                 thread_with_messages, expired_threads, stored_accounts, page<audit_entry>,
                 page<usage_row>, tenant_totals>;

} // namespace lang_agent
