/// Requests to the thread API, over a real journal and real conversations. Their upstream is a
/// probe.
#pragma once

#include "tests/actors/callers.hpp"
#include "tests/actors/connection_probe.hpp"
#include "tests/actors/journal_fixture.hpp"

#include "actors/acceptor.hpp"
#include "actors/conversation.hpp"

#include <map>

namespace lang_agent::test {

struct thread_fixture : journal_fixture {
  std::shared_ptr<connection_record> connection;
  std::shared_ptr<request_context> context = std::make_shared<request_context>();
  std::shared_ptr<journal_gate> gate = std::make_shared<journal_gate>(64 * 1024 * 1024);
  std::shared_ptr<pool_inbox> pool = std::make_shared<pool_inbox>();
  std::shared_ptr<request_inbox> requester = std::make_shared<request_inbox>();
  request_actor requester_actor = request_probe(requester);
  active_memory memory = std::make_shared<std::atomic<std::size_t>>(0);
  directory_actor directory;
  caller_ptr ours = caller_of_tenant("tenant", 10);
  caller_ptr theirs = caller_of_tenant("other", 10);
  caller_ptr asking = ours; ///< whose requests they are
  std::map<std::string, std::uint64_t> versions;

  thread_fixture() {
    start();
    const journal_port port{aut, gate};
    directory = adopt(
        spawn_directory(sys, {std::chrono::minutes{5}, 0, memory, port},
                        [this, port, to = pool_probe(pool)](
                            const thread_key& for_key, bool stateless, const footprint_ptr& part) {
                          return spawn_conversation(sys, for_key, stateless, {}, to, port, part);
                        }));
    context->directory = one_shard(directory);
    context->journal = port;
  }

  ~thread_fixture() {
    for (auto& order : pool->all<order_ptr>())
      order->forget();
    if (connection)
      connection->listener.reset();
    kill(directory);
  }

  /// Stores a turn of the tenant's thread.
  void put(const std::string& thread, const std::string& text, const std::string& reply) {
    auto& version = versions[thread];
    auto x = turn(1, thread, version);
    x.turn.keep = 2 * version++;
    x.turn.messages = {message("user", text), message("assistant", reply)};
    send(aut, std::move(x));
    if (inbox->last<turn_stored>().why)
      CAF_FAIL("the turn was not stored");
  }

  /// A turn of this thread is running from now on.
  void run_turn(const std::string& thread) {
    auto x = std::make_shared<lang_agent::turn>(requester_actor);
    x->key = {"tenant", thread};
    x->arrived = sched.clock().now();
    x->messages = {message("user", "busy")};
    send(directory, std::move(x));
    if (pool->count<order_ptr>() == 0)
      CAF_FAIL("the turn does not run");
  }

  /// A request comes in; nobody runs yet.
  void begin_call(http::endpoint target, const std::string& parameter = {},
                  const std::string& query = {}, const std::string& body = {}) {
    if (connection)
      connection->listener.reset();
    connection = std::make_shared<connection_record>();
    http::request_head head;
    head.target = target;
    head.parameter = parameter;
    head.query = query;
    head.caller = asking;
    head.request_id = "req_1";
    head.received = std::chrono::steady_clock::now();
    caf::anon_send(adopt(spawn_acceptor(sys, context)),
                   std::make_shared<incoming_request>(incoming_request{
                       {head, body}, std::make_unique<recording_responder>(connection)}));
  }

  void call(http::endpoint target, const std::string& parameter = {}, const std::string& query = {},
            const std::string& body = {}) {
    begin_call(target, parameter, query, body);
    sched.run();
  }

  /// The answer to the last call.
  const http::response& response() {
    if (connection->sent.size() != 1)
      CAF_FAIL("there is no answer");
    return connection->sent[0];
  }

  int status() {
    return response().status;
  }

  bool says(const std::string& text) {
    return response().body.find(text) != std::string::npos;
  }

  /// The journal's queue has room for nothing more until this dies.
  journal_place fill_queue() {
    return gate->try_enter(1'000'000'000);
  }

  template <class Change>
  std::size_t count_of() const {
    std::size_t out = 0;
    for (const auto& x : control->changes)
      out += std::holds_alternative<Change>(x) ? 1 : 0;
    return out;
  }
};

} // namespace lang_agent::test
