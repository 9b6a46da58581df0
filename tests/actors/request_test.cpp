#define CAF_SUITE request
#include "tests/actors/fixture.hpp"

#include "actors/acceptor.hpp"
#include "http/answer_encoder.hpp"

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

/// What a connection was told; and the connection's own events.
struct connection_record {
  std::vector<http::response> sent;
  std::vector<http::response> begun;
  std::string stream;
  bool ended = false;
  bool dropped = false;
  std::size_t drain_step = 0;
  std::shared_ptr<http::response_listener> listener;
};

class recording_responder final : public http::responder {
public:
  explicit recording_responder(std::shared_ptr<connection_record> to) : to_(std::move(to)) {}
  ~recording_responder() override {
    to_->dropped = true;
  }
  void listen(std::shared_ptr<http::response_listener> listener, std::size_t step) override {
    to_->listener = std::move(listener);
    to_->drain_step = step;
  }
  void send(http::response x) override {
    to_->sent.push_back(std::move(x));
  }
  void begin(http::response x) override {
    to_->stream += x.body;
    to_->begun.push_back(std::move(x));
  }
  void write(std::string piece) override {
    to_->stream += piece;
  }
  void end(std::string piece) override {
    to_->stream += piece;
    to_->ended = true;
  }

private:
  std::shared_ptr<connection_record> to_;
};

struct request_fixture : fixture {
  std::shared_ptr<connection_record> connection = std::make_shared<connection_record>();
  std::shared_ptr<directory_inbox> directory = std::make_shared<directory_inbox>();
  std::shared_ptr<client_inbox> source = std::make_shared<client_inbox>();
  std::shared_ptr<request_context> context = std::make_shared<request_context>();
  llm_client_actor source_actor = client_probe(source);

  request_fixture() {
    tenant_settings tenant{"tenant", {"key"}, 1};
    context->tenants = std::make_shared<tenant_table>(std::vector{tenant});
    context->directory =
        std::make_shared<std::vector<directory_actor>>(std::vector{directory_probe(directory)});
  }

  ~request_fixture() {
    for (auto& x : directory->all<turn_ptr>())
      x->forget();
    connection->listener.reset();
  }

  /// A request comes in through an acceptor, as all do.
  void post(const std::string& body) {
    http::request_head head;
    head.method = "POST";
    head.path = "/v1/chat/completions";
    head.request_id = "req_1";
    head.received = std::chrono::steady_clock::now();
    send(adopt(spawn_acceptor(sys, context)),
         std::make_shared<incoming_request>(
             incoming_request{{head, body}, std::make_unique<recording_responder>(connection)}));
  }

  void ask(bool stream = false) {
    post(R"({"model":"m","thread_id":7,"messages":[{"role":"user","content":"hi"}],"stream":)"
         + std::string{stream ? "true" : "false"} + "}");
  }

  turn& asked() {
    return *directory->last<turn_ptr>();
  }

  /// The turn, as its conversation sees it end.
  void commit(const std::string& text) {
    asked().commit(answer_of(text), {1, 1});
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

  std::size_t permits_taken() {
    return context->tenants->turns();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(request_tests, request_fixture)

CAF_TEST(a request asks its directory shard for a turn) {
  ask();
  CAF_REQUIRE_EQUAL(directory->count<turn_ptr>(), 1u);
  CAF_CHECK_EQUAL(asked().key.tenant, "tenant");
  CAF_CHECK_EQUAL(asked().key.thread, "7");
  CAF_CHECK_EQUAL(asked().messages.size(), 1u);
  CAF_CHECK(connection->sent.empty());
}

CAF_TEST(a committed turn is answered as JSON) {
  ask();
  commit("hello");
  CAF_REQUIRE_EQUAL(connection->sent.size(), 1u);
  CAF_CHECK_EQUAL(connection->sent[0].status, 200);
  CAF_CHECK(connection->sent[0].body.find(R"("content":"hello")") != std::string::npos);
  CAF_CHECK(connection->sent[0].headers.find("x-thread-id: 7\r\n") != std::string::npos);
}

CAF_TEST(a bad body is refused and asks nobody) {
  post(R"({"model":"m","messages":"hi"})");
  CAF_REQUIRE_EQUAL(connection->sent.size(), 1u);
  CAF_CHECK_EQUAL(connection->sent[0].status, 400);
  CAF_CHECK_EQUAL(directory->count<turn_ptr>(), 0u);
}

CAF_TEST(a stream begins with the first delta and ends only after the commit) {
  ask(true);
  CAF_CHECK(connection->begun.empty());
  deltas("Hel");
  CAF_REQUIRE_EQUAL(connection->begun.size(), 1u);
  CAF_CHECK(connection->begun[0].headers.find("x-accel-buffering: no") != std::string::npos);
  deltas("lo");
  CAF_CHECK(connection->stream.find(R"("content":"lo")") != std::string::npos);
  CAF_CHECK(connection->stream.find("finish_reason\":\"stop") == std::string::npos);
  CAF_CHECK(!connection->ended);
  commit("Hello");
  CAF_CHECK(connection->ended);
  CAF_CHECK(connection->stream.find("finish_reason\":\"stop") != std::string::npos);
  CAF_CHECK(connection->stream.ends_with("data: [DONE]\n\n"));
}

CAF_TEST(a failure before the first delta is an HTTP error) {
  ask(true);
  fail(error_kind::upstream_timeout);
  CAF_REQUIRE_EQUAL(connection->sent.size(), 1u);
  CAF_CHECK_EQUAL(connection->sent[0].status, 504);
}

CAF_TEST(a failure after the first delta is an event and no end of stream) {
  ask(true);
  deltas("Hel");
  fail(error_kind::upstream_cut);
  CAF_CHECK(connection->ended);
  CAF_CHECK(connection->stream.find(R"(data: {"error":)") != std::string::npos);
  CAF_CHECK(connection->stream.find("[DONE]") == std::string::npos);
}

CAF_TEST(credit comes back as the connection drains and all of it in the end) {
  ask(true);
  deltas("some text");
  const choice_delta same{0, "some text", "", "", ""};
  CAF_CHECK_EQUAL(source->count<credit_granted>(), 0u);
  const auto wire = connection->stream.size();
  CAF_CHECK(wire >= same.cost()); // else the connection's step might never be reached
  connection->listener->on_drained(wire / 2);
  sched.run();
  connection->listener->on_drained(wire);
  sched.run();
  std::size_t sum = 0;
  for (const auto& x : source->all<credit_granted>())
    sum += x.bytes;
  CAF_CHECK_EQUAL(sum, same.cost());
}

CAF_TEST(a client that goes away cancels its turn) {
  ask(true);
  connection->listener->on_gone();
  sched.run();
  CAF_REQUIRE_EQUAL(directory->count<turn_cancelled>(), 1u);
  CAF_CHECK_EQUAL(directory->last<turn_cancelled>().id, asked().id);
  CAF_CHECK(connection->dropped);
}

CAF_TEST(by policy a turn goes on without its client and gets credit for nothing written) {
  context->on_disconnect = disconnect_policy::finish;
  ask(true);
  deltas("one");
  connection->listener->on_gone();
  sched.run();
  CAF_CHECK_EQUAL(source->count<credit_granted>(), 1u);
  deltas("two");
  CAF_CHECK_EQUAL(source->count<credit_granted>(), 2u);
  CAF_CHECK(connection->stream.find("two") == std::string::npos);
  commit("one two");
  CAF_CHECK_EQUAL(directory->count<turn_cancelled>(), 0u);
}

CAF_TEST(a tenant has no more turns in flight than its limit) {
  ask();
  CAF_CHECK_EQUAL(permits_taken(), 1u);
  ask();
  CAF_REQUIRE_EQUAL(connection->sent.size(), 1u);
  CAF_CHECK_EQUAL(connection->sent[0].status, 429);
  CAF_CHECK_EQUAL(directory->count<turn_ptr>(), 1u);
}

CAF_TEST(the permit comes back with the end of the turn) {
  ask();
  commit("hello");
  directory->all<turn_ptr>().clear(); // as its conversation would
  CAF_CHECK_EQUAL(permits_taken(), 0u);
}

CAF_TEST(a request actor that is killed cancels its turn and drops its connection) {
  ask(true);
  kill(asked().requester);
  CAF_CHECK_EQUAL(directory->count<turn_cancelled>(), 1u);
  CAF_CHECK(connection->dropped);
  directory->all<turn_ptr>()[0]->forget();
  directory->all<turn_ptr>().clear();
  CAF_CHECK_EQUAL(permits_taken(), 0u);
}

CAF_TEST_FIXTURE_SCOPE_END()
