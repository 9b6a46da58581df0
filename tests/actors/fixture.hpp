/// What actor tests share: the deterministic scheduler, and probes that stand in for the actors
/// around the one under test. A probe is a real actor of the right type that keeps what it gets.
#pragma once

#include "tests/test.hpp"

#include "actors/directory.hpp"
#include "http/upstream.hpp"
#include "messages/protocol.hpp"

#include <memory>
#include <string>
#include <tuple>
#include <vector>

namespace lang_agent::test {

/// What a probe received, by type.
template <class... Ts>
struct received : std::tuple<std::vector<Ts>...> {
  template <class T>
  std::vector<T>& all() {
    return std::get<std::vector<T>>(*this);
  }

  template <class T>
  std::size_t count() const {
    return std::get<std::vector<T>>(*this).size();
  }

  template <class T>
  T& last() {
    if (all<T>().empty())
      CAF_FAIL("the probe received nothing of this type");
    return all<T>().back();
  }
};

using request_inbox = received<answer_deltas, turn_committed, turn_replayed, turn_failed,
                               stream_drained, stream_silent, client_gone>;
using pool_inbox = received<order_ptr, order_cancelled, llm_client_idle, attempt_begun,
                            attempt_failed, queue_tick>;
using client_inbox = received<llm_attempt, order_cancelled, credit_granted>;
using journal_inbox = received<load_thread, find_answer, store_turn, ask_store, change_thread,
                               change_accounts, note_usage, note_key_use>;
using conversation_inbox =
    received<turn_ptr, turn_cancelled, change_thread, thread_loaded, answer_found, order_completed,
             order_failed, turn_stored, thread_changed>;
using directory_inbox = received<turn_ptr, turn_cancelled, change_thread>;
using store_client_inbox = received<store_answer>;

template <class T, class Inbox>
auto collect(const std::shared_ptr<Inbox>& inbox) {
  return [inbox](T& x) { inbox->template all<T>().push_back(std::move(x)); };
}

struct fixture : test_coordinator_fixture<> {
  ~fixture() {
    for (const auto& x : probes)
      caf::anon_send_exit(x, caf::exit_reason::user_shutdown);
    probes.clear();
    sched.run();
  }

  /// Ends with the fixture.
  template <class Handle>
  Handle enlist(Handle x) {
    probes.push_back(caf::actor_cast<caf::actor>(x));
    return x;
  }

  /// The same, and lets it start. Not from inside a handler.
  template <class Handle>
  Handle adopt(Handle x) {
    enlist(x);
    sched.run();
    return x;
  }

  request_actor request_probe(const std::shared_ptr<request_inbox>& in) {
    return adopt(sys.spawn([in](request_actor::pointer) -> request_actor::behavior_type {
      return {collect<answer_deltas>(in), collect<turn_committed>(in), collect<turn_replayed>(in),
              collect<turn_failed>(in),   collect<stream_drained>(in), collect<stream_silent>(in),
              collect<client_gone>(in)};
    }));
  }

  llm_pool_actor pool_probe(const std::shared_ptr<pool_inbox>& in) {
    return adopt(sys.spawn([in](llm_pool_actor::pointer) -> llm_pool_actor::behavior_type {
      return {collect<order_ptr>(in),       collect<order_cancelled>(in),
              collect<llm_client_idle>(in), collect<attempt_begun>(in),
              collect<attempt_failed>(in),  [](retry_due) {},
              [](upstream_probed) {},       collect<queue_tick>(in)};
    }));
  }

  llm_client_actor client_probe(const std::shared_ptr<client_inbox>& in) {
    return enlist(sys.spawn([in](llm_client_actor::pointer) -> llm_client_actor::behavior_type {
      return {collect<llm_attempt>(in),         collect<order_cancelled>(in),
              collect<credit_granted>(in),      [](const upstream_deltas&) {},
              [](const upstream_completed&) {}, [](const upstream_failed&) {}};
    }));
  }

  journal_actor journal_probe(const std::shared_ptr<journal_inbox>& in) {
    return adopt(sys.spawn([in](journal_actor::pointer) -> journal_actor::behavior_type {
      return {collect<load_thread>(in), collect<find_answer>(in),   collect<store_turn>(in),
              collect<ask_store>(in),   collect<change_thread>(in), collect<change_accounts>(in),
              collect<note_usage>(in),  collect<note_key_use>(in),  [](notes_due) {},
              [](commit_group) {},      [](queue_tick) {}};
    }));
  }

  conversation_actor conversation_probe(const std::shared_ptr<conversation_inbox>& in) {
    return enlist(sys.spawn([in](conversation_actor::pointer) -> conversation_actor::behavior_type {
      return {collect<turn_ptr>(in),      collect<turn_cancelled>(in), collect<change_thread>(in),
              collect<thread_loaded>(in), collect<answer_found>(in),   collect<order_completed>(in),
              collect<order_failed>(in),  collect<turn_stored>(in),    collect<thread_changed>(in),
              [](queue_tick) {}};
    }));
  }

  directory_actor directory_probe(const std::shared_ptr<directory_inbox>& in) {
    return adopt(sys.spawn([in](directory_actor::pointer) -> directory_actor::behavior_type {
      return {collect<turn_ptr>(in), collect<turn_cancelled>(in), collect<change_thread>(in),
              [](queue_tick) {}};
    }));
  }

  store_client_actor store_client_probe(const std::shared_ptr<store_client_inbox>& in) {
    return adopt(sys.spawn([in](store_client_actor::pointer) -> store_client_actor::behavior_type {
      return {collect<store_answer>(in)};
    }));
  }

  /// Sends and lets all actors run until nobody has a message left.
  template <class Handle, class Message>
  void send(const Handle& to, Message&& x) {
    caf::anon_send(to, std::forward<Message>(x));
    sched.run();
  }

  /// Time passes; what is due happens.
  void pass(caf::timespan x) {
    advance_time(x);
    sched.run();
  }

  void kill(const caf::actor& x) {
    caf::anon_send_exit(x, caf::exit_reason::kill);
    sched.run();
  }

  /// Ends an actor under test, whose handle stays.
  template <class Handle>
  void kill(const Handle& x) {
    kill(caf::actor_cast<caf::actor>(x));
  }

  std::vector<caf::actor> probes;
};

/// A route with one group of one upstream.
inline route_ptr only_route() {
  return std::make_shared<const route>(route{{{0, {0}}}});
}

/// Shards with a single one.
inline directory_shards one_shard(const directory_actor& x) {
  return std::make_shared<const std::vector<directory_actor>>(std::vector{x});
}

inline failure disk_full() {
  return {error_kind::storage_unavailable, "disk full"};
}

/// An answer that says `text`.
inline answer answer_of(const std::string& text) {
  answer out;
  out.choices.push_back(
      {0, R"({"role":"assistant","content":")" + text + R"(","refusal":null})", "stop", ""});
  out.usage = {1, 1, R"({"prompt_tokens":1,"completion_tokens":1,"total_tokens":2})", false};
  out.message = message("assistant", text);
  return out;
}

} // namespace lang_agent::test
