#include "server/actor_tree.hpp"

#include "actors/account_messages.hpp"
#include "actors/conversation.hpp"
#include "actors/directory.hpp"
#include "actors/llm_client.hpp"
#include "actors/llm_pool.hpp"
#include "actors/metrics.hpp"
#include "actors/retention.hpp"
#include "server/patience.hpp"
#include "server/upstreams.hpp"

#include <caf/actor_system.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
#include <random>
#include <thread>

namespace lang_agent {

using namespace std::chrono_literals;

namespace {

/// Enough that no shard is busy, few enough to cost nothing.
constexpr std::size_t directory_shard_count = 64;
/// How long ended actors may take to be gone.
constexpr auto farewell = 500ms;

void end(const caf::actor& x) {
  caf::anon_send_exit(x, caf::exit_reason::user_shutdown);
}

known_accounts read_accounts(store::thread_store& from) {
  return understand(std::get<stored_accounts>(from.ask(list_accounts{})));
}

/// Deletes by the rules of the tenants that there are now.
class retention_keeper {
public:
  retention_keeper(caf::actor_system& system, directory_shards shards, journal_port port)
      : system_(system), shards_(std::move(shards)), port_(std::move(port)) {}

  ~retention_keeper() {
    stop();
  }

  retention_keeper(const retention_keeper&) = delete;
  retention_keeper& operator=(const retention_keeper&) = delete;

  void keep(const std::vector<tenant_settings>& tenants) {
    std::vector<retention_rule> rules;
    for (const auto& x : tenants)
      if (x.ttl > 0ms)
        rules.push_back({x.name, x.ttl});
    if (rules == rules_)
      return;
    rules_ = std::move(rules);
    stop();
    actor_.reset();
    if (!rules_.empty())
      actor_ = spawn_retention(system_, rules_, shards_, port_);
  }

private:
  void stop() {
    if (actor_)
      end(caf::actor_cast<caf::actor>(*actor_));
  }

  caf::actor_system& system_;
  directory_shards shards_;
  journal_port port_;
  std::vector<retention_rule> rules_;
  std::optional<retention_actor> actor_;
};

} // namespace

unsigned thread_count(const server_settings& x) {
  const auto processors = std::max(1U, std::thread::hardware_concurrency());
  return x.threads ? x.threads : processors;
}

actor_tree::actor_tree(caf::actor_system& system, const http::io_threads& threads,
                       const settings& config, std::unique_ptr<store::thread_store> store,
                       process_hooks hooks)
    : system_(system),
      others_(system.registry().running()),
      hooks_(std::move(hooks)),
      turns_(std::make_shared<std::atomic<std::size_t>>(0)),
      routes_(std::make_shared<routing_table>(config)) {
  auto stored = read_accounts(*store);
  auto past = std::make_shared<const past_usage>(*store, unix_now());
  spawn_pool(threads, config);
  journal_options journaling;
  journaling.replay_window = config.threads.replay_window;
  journaling.own_thread = config.store.engine != store_engine::memory;
  journal_ = spawn_journal(system, std::move(store), journaling);
  port_ = {journal_, std::make_shared<journal_gate>(config.store.max_queued_bytes)};
  spawn_directory_shards(config.threads);
  spawn_accounts_actor(config, std::move(stored), std::move(past));
  spawn_acceptors(config);
  make_services(config);
}

actor_tree::~actor_tree() {
  for (const auto& x : acceptors_)
    end(caf::actor_cast<caf::actor>(x));
  end(caf::actor_cast<caf::actor>(accounts_));
  for (const auto& x : *shards_)
    end(caf::actor_cast<caf::actor>(x));
  end(caf::actor_cast<caf::actor>(pool_));
  // What turns have used by now is theirs to tell the journal, so it ends last.
  wait_until(farewell, [this] { return system_.registry().running() <= others_ + 1; });
  end(caf::actor_cast<caf::actor>(journal_));
  // It has a thread of its own, which must not outlive the scheduler.
  caf::scoped_actor {
    system_
    } -> wait_for(journal_);
  // Nor must any actor that holds it be cut off in the middle when the scheduler stops.
  wait_until(farewell, [this] { return system_.registry().running() <= others_; });
}

void actor_tree::configure(const settings& config) {
  caf::anon_send(accounts_, tenants_configured{config.tenants, config.prices});
}

void actor_tree::spawn_pool(const http::io_threads& threads, const settings& config) {
  llm_pool_options options;
  options.upstreams = make_upstreams(threads, config.upstreams);
  options.groups = routes_->groups();
  options.routing = config.routing;
  options.retry = config.retry;
  options.breaker = config.breaker;
  options.seed = std::random_device{}();
  std::vector<std::string> names;
  for (const auto& x : config.upstreams)
    names.push_back(x.name);
  options.counters = counters_ = std::make_shared<pool_counters>(names);
  pool_ = spawn_llm_pool(system_, options,
                         [&system = system_, upstreams = options.upstreams,
                          credit = config.server.stream_buffer_bytes](const llm_pool_actor& pool) {
                           return spawn_llm_client(system, pool, upstreams, credit);
                         });
}

void actor_tree::spawn_directory_shards(const thread_settings& x) {
  conversation_options options;
  options.on_busy = x.on_busy;
  options.max_waiting = x.max_waiting;
  options.wait_timeout = x.wait_timeout;
  options.limits = {x.max_context_messages, x.max_context_tokens};
  options.retry_with_less_context = x.retry_with_less_context;
  options.replay_window = x.replay_window;
  const auto make = [&system = system_, options, pool = pool_, journal = port_](
                        const thread_key& key, bool stateless, const footprint_ptr& memory) {
    return spawn_conversation(system, key, stateless, options, pool, journal, memory);
  };
  directory_options sharing;
  sharing.idle_after = x.idle_after;
  sharing.max_active_bytes = x.max_active_bytes;
  sharing.journal = port_;
  auto shards = std::make_shared<std::vector<directory_actor>>();
  for (std::size_t i = 0; i < directory_shard_count; ++i)
    shards->push_back(spawn_directory(system_, sharing, make));
  shards_ = std::move(shards);
}

/// Ledgers may outlive the actors: connections that are still open hold them. So they must not keep
/// the journal alive.
void actor_tree::spawn_accounts_actor(const settings& config, known_accounts stored,
                                      std::shared_ptr<const past_usage> past) {
  const auto open = [to = caf::actor_cast<caf::weak_actor_ptr>(journal_), past = std::move(past),
                     all = turns_](const std::string& tenant) {
    const auto record = [to](usage_row x) {
      if (const auto journal = to.lock())
        caf::anon_send(caf::actor_cast<journal_actor>(journal), note_usage{{{std::move(x)}}});
    };
    auto out = std::make_shared<ledger>(tenant, record, ledger::clock{}, all);
    past->restore(*out, tenant);
    return out;
  };
  accounts_options options;
  options.book = std::make_shared<account_book>(ledger_book{open}, std::move(stored));
  options.book->configure(config.tenants, config.prices);
  tenants_ = std::make_shared<published<tenant_table>>(options.book->make_table());
  options.tenants = tenants_;
  options.journal = port_;
  const auto keeper = std::make_shared<retention_keeper>(system_, shards_, port_);
  keeper->keep(options.book->tenants());
  options.on_change = [keeper](const std::vector<tenant_settings>& x) { keeper->keep(x); };
  accounts_ = spawn_accounts(system_, std::move(options));
}

void actor_tree::spawn_acceptors(const settings& config) {
  auto context = std::make_shared<request_context>();
  context->decoding = {config.server.max_json_depth, config.server.max_messages,
                       config.defaults.temperature, config.defaults.max_tokens,
                       config.threads.default_thread};
  context->on_disconnect = config.threads.on_disconnect;
  context->stream_buffer_bytes = config.server.stream_buffer_bytes;
  context->sse_keepalive = config.server.sse_keepalive;
  context->json_keepalive = config.server.json_keepalive;
  context->log_content = config.log.content;
  context->routes = routes_;
  context->directory = shards_;
  context->journal = port_;
  context->max_import_line = config.server.max_body_bytes;
  context->admin = {accounts_, state(), hooks_.stop};
  for (unsigned i = 0; i < thread_count(config.server); ++i)
    acceptors_.push_back(spawn_acceptor(system_, context));
}

void actor_tree::make_services(const settings& config) {
  const admin_keys keys{config.admin.keys};
  const admin_keys none{{}};
  const bool apart = config.admin.own_listener;
  service_ = std::make_shared<api_service>(tenants_, routes_, acceptors_,
                                           admin_access{apart ? none : keys, false});
  if (apart)
    admin_service_ =
        std::make_shared<api_service>(tenants_, routes_, acceptors_, admin_access{keys, true});
  if (config.server.metrics)
    service_->show_metrics(metrics());
}

std::function<std::string()> actor_tree::metrics() const {
  return [counters = counters_, tenants = tenants_, &system = system_,
          connections = hooks_.connections] {
    return metrics_document(*counters, *tenants->current(),
                            {connections(), system.registry().running()});
  };
}

std::function<std::string()> actor_tree::state() const {
  return [counters = counters_, tenants = tenants_, connections = hooks_.connections] {
    return http::state_document(describe_state(*counters, *tenants->current(), {connections(), 0}));
  };
}

} // namespace lang_agent
