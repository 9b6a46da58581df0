/// Where threads are kept. Engines implement it; actors use it through the journal actor only.
#pragma once

#include "messages/chat.hpp"
#include "messages/thread_key.hpp"

#include <cstddef>
#include <memory>
#include <stdexcept>

namespace lang_agent::store {

/// What the next turn of a thread needs to know.
struct thread_record {
  message_list instructions;
  message_list history; ///< live messages, oldest first; superseded ones are left out
};

/// A complete turn, to be appended as a whole.
struct turn_record {
  thread_key key;
  message_list instructions; ///< the thread's from now on
  std::size_t keep = 0;      ///< live messages that stay; those after them become superseded
  message_list messages;     ///< new ones, the answer last
};

/// An engine could not do what was asked; nothing of it was done.
class storage_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// Not thread-safe: one owner. Both calls may block and may throw `storage_error`.
class thread_store {
public:
  virtual ~thread_store() = default;

  /// An unknown thread is an empty one.
  virtual thread_record load(const thread_key& key) = 0;

  virtual void append(const turn_record& turn) = 0;
};

} // namespace lang_agent::store
