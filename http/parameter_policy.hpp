/// What becomes of a request at an upstream that differs from OpenAI's API.
#pragma once

#include "messages/chat.hpp"
#include "messages/parameter_policy.hpp"

#include <string>

namespace lang_agent::http {

/// The first parameter of a request that the policy refuses; empty: none.
std::string refused_parameter(const chat_parameters& x, const parameter_policy& policy);

/// A request as an upstream takes it.
struct adapted_request {
  chat_parameters parameters;
  message_list prompt;
  std::string dropped; ///< names, separated by ", "
};

/// Costs nothing but copies of shared pointers where the policy is empty: callers skip it then.
/// Members that the policy does not name stay as they are, byte for byte. Where a renamed one meets
/// one that has the upstream's name already, the latter wins.
adapted_request adapt(const chat_parameters& x, const message_list& prompt,
                      const parameter_policy& policy);

} // namespace lang_agent::http
