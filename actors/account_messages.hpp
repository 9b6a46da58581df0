/// What is said to and by the accounts actor. They hold types of the codec, so they are not among
/// the messages that all actors share.
#pragma once

#include "actors/account_book.hpp"
#include "messages/protocol.hpp"

#include <string>
#include <variant>
#include <vector>

namespace lang_agent {

/// The config, new or read again.
struct tenants_configured {
  std::vector<tenant_settings> tenants;
  std::vector<price_settings> prices;
};

enum class account_subject { tenants, tenant, keys };

struct ask_account {
  account_subject what;
  std::string id; ///< of the tenant
  account_client_actor reply_to;
};

struct change_account {
  account_command what;
  std::string who; ///< id of the admin key
  account_client_actor reply_to;
};

/// Answer to both: JSON, or why not.
struct account_answer {
  std::variant<std::string, failure> result;
};

} // namespace lang_agent

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::tenants_configured)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::ask_account)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::change_account)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::account_answer)
