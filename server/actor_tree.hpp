/// All actors that live as long as the server.
#pragma once

#include "actors/accounts.hpp"
#include "actors/api_service.hpp"
#include "actors/journal.hpp"
#include "actors/upstream_counters.hpp"
#include "config/settings.hpp"
#include "http/io_threads.hpp"
#include "http/server.hpp"
#include "server/past_usage.hpp"
#include "store/thread_store.hpp"

#include <caf/fwd.hpp>

#include <functional>
#include <memory>
#include <vector>

namespace lang_agent {

/// As many as configured, or as there are processors.
unsigned thread_count(const server_settings& x);

/// What the admin API asks of the process.
struct process_hooks {
  std::function<std::size_t()> connections; ///< open ones; thread-safe, as the next
  std::function<void()> stop;
};

/// Ends the actors with itself.
class actor_tree {
public:
  /// Throws when the stored accounts cannot be read, and has started nothing then.
  actor_tree(caf::actor_system& system, const http::io_threads& threads, const settings& config,
             std::unique_ptr<store::thread_store> store, process_hooks hooks);
  ~actor_tree();

  /// Of the listener for everybody, and of the one for the admin API alone; null: it has none.
  const std::shared_ptr<api_service>& service() const {
    return service_;
  }
  const std::shared_ptr<api_service>& admin_service() const {
    return admin_service_;
  }

  /// Requests that come soon after see these tenants and prices.
  void configure(const settings& config);

  std::size_t turns_in_flight() const {
    return *turns_;
  }

private:
  void spawn_pool(const http::io_threads& threads, const settings& config);
  void spawn_directory_shards(const thread_settings& x);
  void spawn_accounts_actor(const settings& config, known_accounts stored,
                            std::shared_ptr<const past_usage> past);
  void spawn_acceptors(const settings& config);
  void make_services(const settings& config);
  std::function<std::string()> metrics() const;
  std::function<std::string()> state() const;

  caf::actor_system& system_;
  const std::size_t others_; ///< actors of the system itself
  const process_hooks hooks_;
  const std::shared_ptr<std::atomic<std::size_t>> turns_;
  std::shared_ptr<published<tenant_table>> tenants_;
  std::shared_ptr<const routing_table> routes_;
  std::shared_ptr<pool_counters> counters_;
  llm_pool_actor pool_;
  journal_actor journal_;
  journal_port port_;
  directory_shards shards_;
  accounts_actor accounts_;
  std::vector<acceptor_actor> acceptors_;
  std::shared_ptr<api_service> service_;
  std::shared_ptr<api_service> admin_service_;
};

} // namespace lang_agent
