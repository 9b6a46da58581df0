/// The accounts actor: the one that changes tenants and keys.
///
/// Commands and new versions of the config come one after the other. A change is made by the store
/// first, together with its audit entry; then the next snapshot of tenants is published. Requests
/// never ask this actor: they read the snapshot.
#pragma once

#include "actors/account_book.hpp"
#include "actors/journal.hpp"
#include "actors/published.hpp"
#include "messages/interfaces.hpp"

#include <caf/fwd.hpp>

#include <functional>
#include <memory>
#include <string>

namespace lang_agent {

struct accounts_options {
  std::shared_ptr<account_book> book; ///< used by the actor alone from now on
  std::shared_ptr<published<tenant_table>> tenants;
  journal_port journal;
  /// Hears of all tenants whenever they have changed, in the actor's thread of execution.
  std::function<void(const std::vector<tenant_settings>&)> on_change = {};
};

accounts_actor spawn_accounts(caf::actor_system& system, accounts_options options);

} // namespace lang_agent
