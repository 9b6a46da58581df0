/// What an upstream takes of a request, where it differs from OpenAI's API. Plain data.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace lang_agent {

/// The role in which instructions go to the upstream.
enum class instruction_role : std::uint8_t { as_sent, system, developer };

struct parameter_policy {
  std::map<std::string, std::string> rename = {}; ///< the client's name to the upstream's
  std::vector<std::string> drop = {};             ///< not sent; the client is told in a header
  std::vector<std::string> refuse = {};           ///< requests with these are not for this upstream
  instruction_role instructions = instruction_role::as_sent;

  bool operator==(const parameter_policy&) const = default;
};

} // namespace lang_agent
