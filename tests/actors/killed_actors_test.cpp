#define CAF_SUITE killed_actors
#include "tests/actors/callers.hpp"
#include "tests/actors/connection_probe.hpp"
#include "tests/actors/journal_fixture.hpp"
#include "tests/actors/scripted_upstream.hpp"

#include "actors/acceptor.hpp"
#include "actors/conversation.hpp"
#include "actors/llm_client.hpp"
#include "actors/llm_pool.hpp"

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

constexpr std::uint64_t many = 1'000'000;

enum class victim { request, conversation, client, pool, directory, journal };

/// All actors that a turn passes, over an upstream with one place, for a tenant that may have one
/// turn at a time.
class small_server {
public:
  explicit small_server(fixture& owner) : owner_(owner) {
    journal_ = spawn_journal(owner.sys, std::make_unique<store::memory_store>(),
                             {.sweep_interval = std::chrono::hours{1}, .own_thread = false});
    spawn_pool();
    const journal_port port{journal_, gate_};
    directory_ = spawn_directory(
        owner.sys, {std::chrono::minutes{5}, 0, memory_, port},
        [this, port](const thread_key& key, bool stateless, const footprint_ptr& part) {
          conversation_ = spawn_conversation(owner_.sys, key, stateless, {}, pool_, port, part);
          return *conversation_;
        });
    spawn_tap();
    settings config;
    config.upstreams.emplace_back().name = "main";
    context_->routes = std::make_shared<routing_table>(config);
    context_->directory = one_shard(*tap_);
    context_->journal = port;
    acceptor_ = spawn_acceptor(owner.sys, context_);
    make_caller();
    owner_.sched.run();
  }

  ~small_server() {
    stop();
  }

  small_server(const small_server&) = delete;
  small_server& operator=(const small_server&) = delete;

  void ask(bool stream, const std::string& thread) {
    connection_ = std::make_shared<connection_record>();
    http::request_head head;
    head.target = http::endpoint::chat_completions;
    head.caller = asking_;
    head.request_id = "req_1";
    head.received = std::chrono::steady_clock::now();
    const auto body = R"({"model":"m","thread_id":")" + thread
                      + R"(","messages":[{"role":"user","content":"hi"}],"stream":)"
                      + (stream ? "true}" : "false}");
    caf::anon_send(acceptor_,
                   std::make_shared<incoming_request>(incoming_request{
                       {head, body}, std::make_unique<recording_responder>(connection_)}));
  }

  /// The next thing happens: a message is handled, or the upstream says something. False: nothing
  /// is left to happen.
  bool step() {
    return owner_.sched.try_run_once() || upstream_says_something();
  }

  std::size_t run() {
    std::size_t steps = 0;
    while (step())
      ++steps;
    return steps;
  }

  /// False: there is no such actor yet.
  bool kill(victim x) {
    const auto who = find(x);
    if (who)
      caf::anon_send_exit(who, caf::exit_reason::kill);
    return static_cast<bool>(who);
  }

  /// As the server ends its actors.
  void stop() {
    if (std::exchange(stopped_, true))
      return;
    for (const auto& x :
         {caf::actor_cast<caf::actor>(acceptor_), caf::actor_cast<caf::actor>(*tap_),
          caf::actor_cast<caf::actor>(directory_), caf::actor_cast<caf::actor>(pool_),
          caf::actor_cast<caf::actor>(journal_)})
      caf::anon_send_exit(x, caf::exit_reason::user_shutdown);
    owner_.sched.run();
    if (connection_)
      connection_->listener.reset();
  }

  bool was_answered() const {
    return connection_->ended
           || (connection_->sent.size() == 1 && connection_->sent.front().status == 200);
  }

  /// The client heard that it is over, well or not.
  bool is_over() const {
    return was_answered() || connection_->sent.size() == 1 || connection_->dropped;
  }

  /// What turns still hold, in words; nothing: all is well.
  std::string held() const {
    std::string out;
    if (account_->turns() != 0)
      out += " a turn's place;";
    const auto left = account_->rates(asking_->key);
    // A turn holds 1,024 tokens for its answer and uses a few.
    if (many - left.tokens->remaining > 100 * asked_)
      out += " tokens;";
    if (many - left.requests->remaining > asked_)
      out += " requests;";
    if (!gate_->try_enter(many - journal_message_bytes - 1) || gate_->is_full())
      out += " a place in the journal's queue;";
    for (std::size_t i = 0; i < upstream_->exchanges.size(); ++i)
      if (said_[i] < 2 && !upstream_->exchanges[i]->cancelled)
        out += " an exchange;";
    return out;
  }

  std::size_t memory() const {
    return memory_->load();
  }

private:
  static constexpr std::size_t journal_message_bytes = 1024;

  void spawn_pool() {
    llm_pool_options options;
    upstream_target target{"main", upstream_};
    target.max_concurrency = 1;
    options.upstreams = std::make_shared<const std::vector<upstream_target>>(std::vector{target});
    options.groups = {{0}};
    options.seed = 1;
    options.counters = std::make_shared<pool_counters>(std::vector<std::string>{"main"});
    pool_ = spawn_llm_pool(owner_.sys, options,
                           [this, list = options.upstreams](const llm_pool_actor& pool) {
                             client_ = spawn_llm_client(owner_.sys, pool, list, 1000);
                             return *client_;
                           });
  }

  /// In front of the directory: tells which actor asks.
  void spawn_tap() {
    tap_ = owner_.sys.spawn([this](directory_actor::pointer) -> directory_actor::behavior_type {
      return {
          [this](turn_ptr& x) {
            ++asked_;
            request_ = x->requester;
            caf::anon_send(directory_, std::move(x));
          },
          [this](const turn_cancelled& x) { caf::anon_send(directory_, x); },
          [this](change_thread& x) { caf::anon_send(directory_, std::move(x)); },
          [](queue_tick) {},
      };
    });
  }

  void make_caller() {
    tenant_settings tenant;
    tenant.name = "tenant";
    tenant.keys = {"key"};
    tenant.limits.max_turns = tenant.limits.max_streams = 1;
    tenant.limits.requests_per_minute = tenant.limits.tokens_per_minute = many;
    ledger_book book{[this](const std::string&) { return account_; }};
    const tenant_table table{{tenant}, {}, {}, book};
    asking_ = std::get<caller_ptr>(table.authenticate("Bearer key", 0));
  }

  bool upstream_says_something() {
    said_.resize(upstream_->exchanges.size());
    for (std::size_t i = 0; i < said_.size(); ++i) {
      auto& exchange = *upstream_->exchanges[i];
      if (exchange.cancelled || said_[i] == 2)
        continue;
      if (said_[i]++ == 0)
        exchange.listener->on_deltas({{0, "hello", "", "", ""}});
      else
        exchange.listener->on_completed(answer_of("hello"));
      return true;
    }
    return false;
  }

  caf::actor find(victim x) const {
    const auto of = [](const auto& y) {
      return y ? caf::actor_cast<caf::actor>(*y) : caf::actor{};
    };
    switch (x) {
    case victim::request:
      return of(request_);
    case victim::conversation:
      return of(conversation_);
    case victim::client:
      return of(client_);
    case victim::pool:
      return caf::actor_cast<caf::actor>(pool_);
    case victim::directory:
      return caf::actor_cast<caf::actor>(directory_);
    case victim::journal:
      return caf::actor_cast<caf::actor>(journal_);
    }
    return {};
  }

  fixture& owner_;
  bool stopped_ = false;
  std::shared_ptr<ledger> account_ = std::make_shared<ledger>(
      "tenant", [](const usage_row&) {}, [] { return moment{}; });
  std::shared_ptr<scripted_upstream> upstream_ = std::make_shared<scripted_upstream>();
  std::vector<int> said_; ///< by the upstream in each exchange
  std::size_t asked_ = 0; ///< turns
  std::shared_ptr<journal_gate> gate_ = std::make_shared<journal_gate>(many);
  active_memory memory_ = std::make_shared<std::atomic<std::size_t>>(0);
  std::shared_ptr<request_context> context_ = std::make_shared<request_context>();
  std::shared_ptr<connection_record> connection_;
  caller_ptr asking_;
  journal_actor journal_;
  llm_pool_actor pool_;
  directory_actor directory_;
  acceptor_actor acceptor_;
  std::optional<directory_actor> tap_;
  // The last ones.
  std::optional<request_actor> request_;
  std::optional<conversation_actor> conversation_;
  std::optional<llm_client_actor> client_;
};

struct killed_fixture : fixture {
  /// Kills that actor after each number of steps that a turn has.
  template <class Check>
  std::size_t kill_at_every_step(victim who, bool stream, Check check) {
    std::size_t kills = 0;
    for (std::size_t at = 0; at < steps_of_a_turn(stream); ++at) {
      small_server server{*this};
      server.ask(stream, "t");
      for (std::size_t i = 0; i < at; ++i)
        server.step();
      if (!server.kill(who))
        continue;
      ++kills;
      server.run();
      check(server, at);
      server.stop();
      if (const auto held = server.held(); !held.empty() || server.memory() != 0)
        CAF_ERROR("killed at step " << at << ", after the server stopped:" << held << " memory "
                                    << server.memory());
    }
    return kills;
  }

  std::size_t steps_of_a_turn(bool stream) {
    small_server server{*this};
    server.ask(stream, "t");
    const auto out = server.run();
    CAF_REQUIRE(server.was_answered());
    CAF_CHECK_EQUAL(server.held(), "");
    return out;
  }

  /// The actor comes and goes with turns: without it all goes on.
  void check_passing(victim who) {
    for (const bool stream : {false, true}) {
      const auto kills = kill_at_every_step(who, stream, [&](small_server& server, std::size_t at) {
        if (const auto held = server.held(); !held.empty())
          CAF_ERROR("killed at step " << at << ":" << held);
        CAF_CHECK(server.is_over());
        server.ask(stream, "u");
        server.run();
        if (!server.was_answered())
          CAF_ERROR("killed at step " << at << ": the next turn has no answer");
      });
      CAF_CHECK_GREATER(kills, 5u);
    }
  }

  /// The actor lives as long as the server: what waits for it ends with the server.
  void check_lasting(victim who) {
    for (const bool stream : {false, true})
      CAF_CHECK_GREATER(kill_at_every_step(who, stream, [](const small_server&, std::size_t) {}),
                        10u);
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(killed_actors_tests, killed_fixture)

CAF_TEST(a killed request leaves nothing taken) {
  check_passing(victim::request);
}

CAF_TEST(a killed conversation leaves nothing taken) {
  check_passing(victim::conversation);
}

CAF_TEST(a killed client leaves nothing taken) {
  check_passing(victim::client);
}

CAF_TEST(a killed pool leaves nothing taken) {
  check_lasting(victim::pool);
}

CAF_TEST(a killed directory leaves nothing taken) {
  check_lasting(victim::directory);
}

CAF_TEST(a killed journal leaves nothing taken) {
  check_lasting(victim::journal);
}

CAF_TEST_FIXTURE_SCOPE_END()
