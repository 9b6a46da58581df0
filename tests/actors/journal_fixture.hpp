/// A journal over a store that can be watched and broken.
#pragma once

#include "tests/actors/fixture.hpp"

#include "actors/journal.hpp"
#include "store/memory_store.hpp"

#include <functional>

namespace lang_agent::test {

/// What happened to a store, and what it should do.
struct store_control {
  std::vector<std::size_t> commits;  ///< number of changes of each attempt
  std::vector<store_change> changes; ///< of all attempts
  std::size_t questions = 0;
  std::size_t sweeps = 0;
  std::size_t sweeps_with_more = 0; ///< so many sweeps say that there is more to do
  unix_ms swept_before = 0;
  bool broken = false;
  /// Commits with one of these changes fail.
  std::function<bool(const store_change&)> is_bad = [](const store_change&) { return false; };
  std::function<void()> on_sweep = [] {};
};

class watched_store final : public store::thread_store {
public:
  explicit watched_store(std::shared_ptr<store_control> control) : control_(std::move(control)) {}

  thread_record load(const thread_key& key, const context_limits& limits) override {
    check();
    return inner_.load(key, limits);
  }

  replay_result find_replay(const replay_query& query) override {
    check();
    return inner_.find_replay(query);
  }

  query_result ask(const store_query& query) override {
    ++control_->questions;
    check();
    return inner_.ask(query);
  }

  std::vector<change_result> commit(std::span<const store_change> changes) override {
    control_->commits.push_back(changes.size());
    control_->changes.insert(control_->changes.end(), changes.begin(), changes.end());
    check();
    for (const auto& x : changes)
      if (control_->is_bad(x))
        throw store::storage_error{"secret path"};
    return inner_.commit(changes);
  }

  bool sweep(unix_ms replays_before) override {
    ++control_->sweeps;
    control_->swept_before = replays_before;
    control_->on_sweep();
    check();
    if (control_->sweeps_with_more == 0)
      return inner_.sweep(replays_before);
    --control_->sweeps_with_more;
    return true;
  }

private:
  void check() const {
    if (control_->broken)
      throw store::storage_error{"secret path"};
  }

  std::shared_ptr<store_control> control_;
  store::memory_store inner_;
};

struct journal_fixture : fixture {
  std::shared_ptr<store_control> control = std::make_shared<store_control>();
  std::shared_ptr<conversation_inbox> inbox = std::make_shared<conversation_inbox>();
  std::shared_ptr<store_client_inbox> client = std::make_shared<store_client_inbox>();
  conversation_actor conversation = adopt(conversation_probe(inbox));
  store_client_actor client_actor = store_client_probe(client);
  const thread_key key{"tenant", "thread"};
  journal_options options{std::chrono::minutes{10}, std::chrono::hours{1}, false};
  journal_actor aut;

  ~journal_fixture() {
    kill(aut);
  }

  void start() {
    aut = adopt(spawn_journal(sys, std::make_unique<watched_store>(control), options));
  }

  /// A turn of a thread of its own, unless the thread is named.
  store_turn turn(turn_id id, const std::string& thread = {}, std::uint64_t version = 0) {
    turn_record x;
    x.key = {"tenant", thread.empty() ? "thread " + std::to_string(id) : thread};
    x.version = version;
    x.messages = {message("user", "hi"), message("assistant", "hello")};
    x.at = unix_now();
    return {id, std::move(x), conversation};
  }

  /// Puts a message into the mailbox; nobody runs yet.
  template <class Message>
  void queue(Message x) {
    caf::anon_send(aut, std::move(x));
  }

  /// A change for the thread API that goes through no conversation.
  void queue_change(store_change x) {
    queue(change_thread{key, std::move(x), client_actor});
  }

  query_result answer(store_query x) {
    send(aut, ask_store{std::move(x), client_actor});
    const auto& result = client->last<store_answer>().result;
    if (!std::holds_alternative<query_result>(result))
      CAF_FAIL("the question was not answered");
    return std::get<query_result>(result);
  }

  /// What is stored; the question itself has everything committed that was noted.
  usage_counts used(const std::string& tenant) {
    usage_counts out;
    const auto found =
        std::get<page<usage_row>>(answer(read_usage{.tenant = tenant, .last_day = 99}));
    for (const auto& x : found.data)
      out += x.counts;
    return out;
  }

  static note_usage usage(const std::string& tenant, std::uint64_t requests = 1) {
    return {{{{{tenant, "key", "model", 1}, {.requests = requests}}}}};
  }

  bool exists(const std::string& thread) {
    return std::holds_alternative<thread_info>(answer(find_thread{{"tenant", thread}}));
  }

  const turn_stored& stored(turn_id id) {
    for (const auto& x : inbox->all<turn_stored>())
      if (x.id == id)
        return x;
    CAF_FAIL("nothing is known of turn " << id);
  }
};

} // namespace lang_agent::test
