/// A request actor between probes.
#pragma once

#include "tests/actors/callers.hpp"
#include "tests/actors/connection_probe.hpp"
#include "tests/actors/fixture.hpp"

#include "actors/acceptor.hpp"

namespace lang_agent::test {

struct request_fixture : fixture {
  std::shared_ptr<connection_record> connection = std::make_shared<connection_record>();
  std::shared_ptr<directory_inbox> directory = std::make_shared<directory_inbox>();
  std::shared_ptr<client_inbox> source = std::make_shared<client_inbox>();
  std::shared_ptr<request_context> context = std::make_shared<request_context>();
  llm_client_actor source_actor = client_probe(source);
  caller_ptr asking = caller_of_tenant("tenant", 1);
  http::request_head head;

  request_fixture() {
    head.caller = asking;
    settings config;
    config.upstreams.emplace_back().name = "main";
    context->routes = std::make_shared<routing_table>(config);
    context->directory = one_shard(directory_probe(directory));
    head.method = "POST";
    head.path = "/v1/chat/completions";
    head.target = http::endpoint::chat_completions;
    head.request_id = "req_1";
  }

  ~request_fixture() {
    connection->listener.reset();
  }

  /// A request comes in through an acceptor, as all do.
  void post(const std::string& body) {
    head.received = std::chrono::steady_clock::now();
    send(adopt(spawn_acceptor(sys, context)),
         std::make_shared<incoming_request>(
             incoming_request{{head, body}, std::make_unique<recording_responder>(connection)}));
  }

  void ask(bool stream = false, const std::string& members = {}) {
    post(R"({"model":"m","thread_id":7,"messages":[{"role":"user","content":"hi"}],"stream":)"
         + std::string{stream ? "true" : "false"} + members + "}");
  }

  turn& asked() {
    return *directory->last<turn_ptr>();
  }

  // The turn, as its conversation sees it end.

  void commit(const std::string& text) {
    asked().commit({std::make_shared<const answer>(answer_of(text)), nullptr, {1, 1}, nullptr});
    sched.run();
  }

  void replay(std::string json) {
    asked().replay(std::make_shared<const std::string>(std::move(json)));
    sched.run();
  }

  void fail(error_kind kind) {
    asked().fail({kind, "it broke"});
    sched.run();
  }

  void deltas(const std::string& text) {
    send(asked().requester,
         answer_deltas{asked().id, source_actor, {1, 1}, {{0, text, "", "", ""}}});
  }

  // The connection's events.

  void drained(std::size_t bytes) {
    connection->listener->on_drained(bytes);
    sched.run();
  }

  void silent() {
    connection->listener->on_silence();
    sched.run();
  }

  void gone() {
    connection->listener->on_gone();
    sched.run();
  }

  std::size_t credit() {
    std::size_t sum = 0;
    for (const auto& x : source->all<credit_granted>())
      sum += x.bytes;
    return sum;
  }

  std::size_t permits_taken() {
    return asking->owner->account->turns();
  }
};

} // namespace lang_agent::test
