#include "server/server.hpp"

#include "actors/scheduler.hpp"
#include "http/server.hpp"
#include "server/actor_tree.hpp"
#include "server/patience.hpp"
#include "server/server_events.hpp"
#include "server/storage.hpp"
#include "server/upstreams.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <spdlog/spdlog.h>

#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <optional>
#include <thread>

namespace lang_agent {

using namespace std::chrono_literals;

namespace {

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

/// The listeners: for everybody, and for the admin API where it has one of its own.
class listeners {
public:
  listeners(const http::io_threads& threads, const settings& config, const actor_tree& actors) {
    add(threads, listen_options(config.server), actors.service());
    if (!actors.admin_service())
      return;
    auto options = listen_options(config.server);
    options.host = config.admin.host;
    options.port = config.admin.port;
    add(threads, options, actors.admin_service());
  }

  void start() {
    for (const auto& x : all_)
      x.server->start();
  }

  void drain() {
    for (const auto& x : all_) {
      x.service->drain();
      x.server->drain();
    }
  }

  void close() {
    for (const auto& x : all_)
      x.server->close();
  }

  /// Thread-safe once they have started.
  std::size_t open_connections() const {
    std::size_t sum = 0;
    for (const auto& x : all_)
      sum += x.server->open_connections();
    return sum;
  }

  std::uint16_t port() const {
    return all_.front().server->port();
  }

  /// Of the admin API's own; 0: it has none.
  std::uint16_t admin_port() const {
    return all_.size() > 1 ? all_.back().server->port() : std::uint16_t{0};
  }

private:
  struct listener {
    std::shared_ptr<api_service> service;
    std::unique_ptr<http::server> server;
  };

  void add(const http::io_threads& threads, http::server_options options,
           const std::shared_ptr<api_service>& service) {
    all_.push_back({service, std::make_unique<http::server>(threads, std::move(options), service)});
  }

  std::vector<listener> all_;
};

void drain(listeners& open, const actor_tree& actors, std::chrono::milliseconds limit) {
  spdlog::info("draining turns={} connections={} limit_ms={}", actors.turns_in_flight(),
               open.open_connections(), limit.count());
  open.drain();
  const bool done = wait_until(
      limit, [&] { return actors.turns_in_flight() == 0 && open.open_connections() == 0; });
  if (!done)
    spdlog::warn("drain timeout turns={} connections={}", actors.turns_in_flight(),
                 open.open_connections());
}

/// All or nothing: where the new config is wrong, the old one stays.
void reload(settings& config, const settings_source& source, actor_tree& actors) {
  try {
    auto fresh = source.reload();
    std::swap(config.tenants, fresh.tenants);
    std::swap(config.prices, fresh.prices);
    fresh.tenants = config.tenants;
    fresh.prices = config.prices;
    // Before the news that the config is reloaded: whoever waits for the one has seen the other.
    if (fresh != config)
      spdlog::warn("config has changes that wait for the next start hint=\"only tenants and prices "
                   "are taken over while the server runs\"");
    actors.configure(config);
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
  use_asio_scheduler(system_config, thread_count(config.server));
  caf::actor_system system{system_config};
  const auto& threads = io_threads_of(system);
  system.await_actors_before_shutdown(false); // bounded below
  const auto idle_actors = system.registry().running();
  server_events events{threads.first(), source.file};
  std::optional<listeners> open; // before the actors, which ask for its figures
  auto actors = std::make_unique<actor_tree>(
      system, threads, config, std::move(store),
      process_hooks{[&open] { return open ? open->open_connections() : 0; },
                    [&events] { events.stop(); }});
  open.emplace(threads, config, *actors);
  open->start();
  spdlog::info("listening url=http://{}:{} upstreams={} threads={}", config.server.host,
               open->port(), names_of(config.upstreams), threads.size());
  if (open->admin_port() != 0)
    spdlog::info("listening for admins url=http://{}:{}", config.admin.host, open->admin_port());
  while (events.wait() == server_event::reload)
    reload(config, source, *actors);
  drain(*open, *actors, config.server.drain_timeout);
  // Whatever still runs fails now, and its client hears of it.
  actors.reset();
  const auto is_over = [&] {
    return system.registry().running() <= idle_actors && open->open_connections() == 0;
  };
  if (!wait_until(farewell, is_over)) {
    open->close(); // a client that takes nothing keeps its request alive
    wait_until(farewell, is_over);
  }
  spdlog::info("stopped");
  return EXIT_SUCCESS;
}

} // namespace lang_agent
