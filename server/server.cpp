#include "server/server.hpp"

#include "actors/api_service.hpp"
#include "actors/conversation.hpp"
#include "actors/directory.hpp"
#include "actors/journal.hpp"
#include "actors/llm_client.hpp"
#include "actors/llm_pool.hpp"
#include "actors/metrics.hpp"
#include "actors/retention.hpp"
#include "actors/scheduler.hpp"
#include "http/server.hpp"
#include "server/past_usage.hpp"
#include "server/server_events.hpp"
#include "server/storage.hpp"
#include "server/upstreams.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <spdlog/spdlog.h>

#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <random>
#include <thread>

namespace lang_agent {

using namespace std::chrono_literals;

namespace {

/// Enough that no shard is busy, few enough to cost nothing.
constexpr std::size_t directory_shard_count = 64;
constexpr auto drain_poll = 10ms;
/// After the drain, how long forced-off turns may take to tell their clients.
constexpr auto farewell = 500ms;

/// The usual soft limit is far below what the system allows. A stream takes a second descriptor
/// for its upstream.
void raise_descriptor_limit(std::size_t max_connections) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < max_connections)
    spdlog::warn("open files limit allows fewer connections than configured limit={} "
                 "max_connections={} hint=\"raise it with ulimit -n or LimitNOFILE\"",
                 limit.rlim_cur, max_connections);
}

unsigned thread_count(const settings& config) {
  const auto processors = std::max(1U, std::thread::hardware_concurrency());
  return config.server.threads ? config.server.threads : processors;
}

http::server_options listen_options(const server_settings& x) {
  http::server_options out;
  out.host = x.host;
  out.port = x.port;
  out.max_connections = x.max_connections;
  out.max_header_bytes = x.max_header_bytes;
  out.max_body_bytes = x.max_body_bytes;
  out.header_timeout = x.header_timeout;
  out.body_timeout = x.body_timeout;
  out.write_timeout = x.write_timeout;
  out.keepalive_timeout = x.keepalive_timeout;
  return out;
}

template <class Condition>
bool wait_until(std::chrono::milliseconds limit, Condition done) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!done()) {
    if (std::chrono::steady_clock::now() >= end)
      return false;
    std::this_thread::sleep_for(drain_poll);
  }
  return true;
}

/// All actors that live as long as the server. Ends them with itself.
class actor_tree {
public:
  actor_tree(caf::actor_system& system, const http::io_threads& threads, const settings& config,
             std::unique_ptr<store::thread_store> store)
      : system_(system),
        others_(system.registry().running()),
        past_(*store, unix_now()),
        book_([this](const std::string& tenant) { return open_account(tenant); }),
        routes_(std::make_shared<routing_table>(config)) {
    pool_ = spawn_pool(threads, config);
    journal_options journaling;
    journaling.replay_window = config.threads.replay_window;
    journaling.own_thread = config.store.engine != store_engine::memory;
    journal_ = spawn_journal(system, std::move(store), journaling);
    port_ = {journal_, std::make_shared<journal_gate>(config.store.max_queued_bytes)};
    tenants_ = std::make_shared<published<tenant_table>>(
        std::make_shared<const tenant_table>(config.tenants, config.prices, book_));
    spawn_directory_shards(system, config.threads);
    retention_ = spawn_retention(system, retention_rules(config.tenants), shards_, port_);
    spawn_acceptors(system, config);
    service_ = std::make_shared<api_service>(tenants_, routes_, acceptors_);
  }

  ~actor_tree() {
    const auto end = [](const auto& x) { caf::anon_send_exit(x, caf::exit_reason::user_shutdown); };
    std::for_each(acceptors_.begin(), acceptors_.end(), end);
    end(retention_);
    std::for_each(shards_->begin(), shards_->end(), end);
    end(pool_);
    end(journal_);
    // It has a thread of its own, which must not outlive the scheduler.
    caf::scoped_actor {
      system_
      } -> wait_for(journal_);
    // Nor must any actor that holds it be cut off in the middle when the scheduler stops.
    wait_until(farewell, [this] { return system_.registry().running() <= others_; });
  }

  const std::shared_ptr<api_service>& service() const {
    return service_;
  }

  /// It outlives this, but not `server`.
  std::function<std::string()> metrics(const http::server& server) const {
    return [counters = counters_, tenants = tenants_, &system = system_, &server] {
      return metrics_document(*counters, *tenants->current(),
                              {server.open_connections(), system.registry().running()});
    };
  }

  /// Requests that come from now on see these tenants and prices.
  void set_tenants(const settings& config) {
    tenants_->publish(std::make_shared<const tenant_table>(config.tenants, config.prices, book_));
    caf::anon_send_exit(retention_, caf::exit_reason::user_shutdown);
    retention_ = spawn_retention(system_, retention_rules(config.tenants), shards_, port_);
  }

  std::size_t turns_in_flight() const {
    return tenants_->current()->turns();
  }

private:
  /// Accounts may outlive the actors: connections that are still open hold them. So they must not
  /// keep the journal alive.
  std::shared_ptr<ledger> open_account(const std::string& tenant) {
    const auto record = [to = caf::actor_cast<caf::weak_actor_ptr>(journal_)](usage_row x) {
      if (const auto journal = to.lock())
        caf::anon_send(caf::actor_cast<journal_actor>(journal), note_usage{{{std::move(x)}}});
    };
    auto out = std::make_shared<ledger>(tenant, record);
    past_.restore(*out, tenant);
    return out;
  }

  llm_pool_actor spawn_pool(const http::io_threads& threads, const settings& config) {
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
    return spawn_llm_pool(system_, options,
                          [&system = system_, upstreams = options.upstreams,
                           credit = config.server.stream_buffer_bytes](const llm_pool_actor& pool) {
                            return spawn_llm_client(system, pool, upstreams, credit);
                          });
  }

  void spawn_directory_shards(caf::actor_system& system, const thread_settings& x) {
    conversation_options options;
    options.on_busy = x.on_busy;
    options.max_waiting = x.max_waiting;
    options.wait_timeout = x.wait_timeout;
    options.limits = {x.max_context_messages, x.max_context_tokens};
    options.retry_with_less_context = x.retry_with_less_context;
    options.replay_window = x.replay_window;
    const auto make = [&system, options, pool = pool_, journal = port_](
                          const thread_key& key, bool stateless, const footprint_ptr& memory) {
      return spawn_conversation(system, key, stateless, options, pool, journal, memory);
    };
    directory_options sharing;
    sharing.idle_after = x.idle_after;
    sharing.max_active_bytes = x.max_active_bytes;
    sharing.journal = port_;
    auto shards = std::make_shared<std::vector<directory_actor>>();
    for (std::size_t i = 0; i < directory_shard_count; ++i)
      shards->push_back(spawn_directory(system, sharing, make));
    shards_ = std::move(shards);
  }

  void spawn_acceptors(caf::actor_system& system, const settings& config) {
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
    for (unsigned i = 0; i < thread_count(config); ++i)
      acceptors_.push_back(spawn_acceptor(system, context));
  }

  static std::vector<retention_rule> retention_rules(const std::vector<tenant_settings>& tenants) {
    std::vector<retention_rule> out;
    for (const auto& x : tenants)
      if (x.ttl > 0ms)
        out.push_back({x.name, x.ttl});
    return out;
  }

  caf::actor_system& system_;
  const std::size_t others_; ///< actors of the system itself
  const past_usage past_;
  ledger_book book_;
  std::shared_ptr<published<tenant_table>> tenants_;
  std::shared_ptr<const routing_table> routes_;
  std::shared_ptr<pool_counters> counters_;
  llm_pool_actor pool_;
  journal_actor journal_;
  journal_port port_;
  directory_shards shards_;
  retention_actor retention_;
  std::vector<acceptor_actor> acceptors_;
  std::shared_ptr<api_service> service_;
};

void drain(http::server& server, actor_tree& actors, std::chrono::milliseconds limit) {
  spdlog::info("draining turns={} connections={} limit_ms={}", actors.turns_in_flight(),
               server.open_connections(), limit.count());
  actors.service()->drain();
  server.drain();
  const bool done = wait_until(
      limit, [&] { return actors.turns_in_flight() == 0 && server.open_connections() == 0; });
  if (!done)
    spdlog::warn("drain timeout turns={} connections={}", actors.turns_in_flight(),
                 server.open_connections());
}

/// All or nothing: where the new config is wrong, the old one stays.
void reload(settings& config, const settings_source& source, actor_tree& actors) {
  try {
    auto fresh = source.reload();
    std::swap(config.tenants, fresh.tenants);
    std::swap(config.prices, fresh.prices);
    actors.set_tenants(config);
    fresh.tenants = config.tenants;
    fresh.prices = config.prices;
    if (fresh != config)
      spdlog::warn("config has changes that wait for the next start hint=\"only tenants and prices "
                   "are taken over while the server runs\"");
    spdlog::info("config reloaded tenants={}", config.tenants.size());
  } catch (const std::exception& e) {
    spdlog::error("config not reloaded, the old one stays what=\"{}\"", e.what());
  }
}

} // namespace

int run_server(settings config, const settings_source& source) {
  std::signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit(config.server.max_connections);
  auto store = open_store(config.store); // before anything else: without it there is no server
  caf::actor_system_config system_config;
  use_asio_scheduler(system_config, thread_count(config));
  caf::actor_system system{system_config};
  const auto& threads = io_threads_of(system);
  system.await_actors_before_shutdown(false); // bounded below
  const auto idle_actors = system.registry().running();
  auto actors = std::make_unique<actor_tree>(system, threads, config, std::move(store));
  http::server server{threads, listen_options(config.server), actors->service()};
  if (config.server.metrics)
    actors->service()->show_metrics(actors->metrics(server));
  server_events events{threads.first(), source.file};
  server.start();
  spdlog::info("listening url=http://{}:{} upstreams={} threads={}", config.server.host,
               server.port(), names_of(config.upstreams), threads.size());
  while (events.wait() == server_event::reload)
    reload(config, source, *actors);
  drain(server, *actors, config.server.drain_timeout);
  // Whatever still runs fails now, and its client hears of it.
  actors.reset();
  const auto is_over = [&] {
    return system.registry().running() <= idle_actors && server.open_connections() == 0;
  };
  if (!wait_until(farewell, is_over)) {
    server.close(); // a client that takes nothing keeps its request alive
    wait_until(farewell, is_over);
  }
  spdlog::info("stopped");
  return EXIT_SUCCESS;
}

} // namespace lang_agent
