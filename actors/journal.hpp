/// The journal actor: owns the thread store on a thread of its own and is the only one to touch it.
///
/// Changes are committed in groups: whatever has come while the last commit was under way goes into
/// the next one, so an idle journal commits at once and a busy one in large groups. A group that
/// fails is tried again change by change, so that one that cannot be stored harms no other. Reads
/// see what is committed; changes of whole threads and of accounts that came before them are
/// committed first.
///
/// What nobody waits for (usage without a turn, last uses of keys) is summed up and goes with the
/// next group, or by itself when it has waited for `note_delay`.
#pragma once

#include "messages/protocol.hpp"
#include "store/thread_store.hpp"

#include <caf/fwd.hpp>
#include <caf/send.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>

namespace lang_agent {

struct journal_options {
  std::chrono::milliseconds replay_window{600'000}; ///< answers are kept so long for retries
  std::chrono::milliseconds sweep_interval{5'000};  ///< between two looks for what is to be cleared
  bool own_thread = true; ///< false: in the system's pool, for tests and stores that never block
  std::chrono::milliseconds note_delay{1'000}; ///< what is noted waits so long for a group
};

journal_actor spawn_journal(caf::actor_system& system, std::unique_ptr<store::thread_store> store,
                            const journal_options& options);

/// The bound of the journal's queue, in bytes of what waits in it. Thread-safe.
class journal_gate : public std::enable_shared_from_this<journal_gate> {
public:
  explicit journal_gate(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  /// Null when the queue is full. An empty queue takes anything.
  journal_place try_enter(std::size_t bytes);

  bool is_full() const {
    return queued_.load(std::memory_order_relaxed) >= max_bytes_;
  }

private:
  std::size_t max_bytes_;
  std::atomic<std::size_t> queued_{0};
};

/// The way to the journal: a slow disk makes senders fail instead of filling the memory.
class journal_port {
public:
  journal_port() = default;
  journal_port(journal_actor actor, std::shared_ptr<journal_gate> gate)
      : actor_(std::move(actor)), gate_(std::move(gate)) {}

  bool is_full() const {
    return gate_->is_full();
  }

  /// False: the queue is full and nothing was sent. `bytes` is about what the message holds.
  template <class Message>
  bool send(Message x, std::size_t bytes = 0) const {
    x.place = gate_->try_enter(bytes);
    if (!x.place)
      return false;
    caf::anon_send(actor_, std::move(x));
    return true;
  }

  /// For what must not be lost and takes no room: clearing up after a failure.
  template <class Message>
  void send_always(Message x) const {
    caf::anon_send(actor_, std::move(x));
  }

private:
  journal_actor actor_;
  std::shared_ptr<journal_gate> gate_;
};

/// The failure of a request that found the journal's queue full.
failure journal_full();

/// The failure of a turn, a fork or an import that a limit of its tenant's storage refused: `why`
/// is `too_many_threads` or `too_many_bytes`.
failure storage_limit_reached(refusal why);

} // namespace lang_agent
