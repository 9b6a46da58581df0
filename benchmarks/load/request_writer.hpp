/// The bytes of requests.
#pragma once

#include "benchmarks/load/exchange.hpp"
#include "benchmarks/load/load_plan.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lang_agent::load {

/// Words without a meaning.
std::string make_words(std::uint64_t count, simulator::random_source& random);

/// The members of a JSON object without its braces. Nothing for anything else.
std::optional<std::string> members_of(const std::string& json);

class request_writer {
public:
  request_writer(const load_plan& plan, const base_url& to, std::string run);

  const std::string& run() const {
    return run_;
  }

  /// The text of a turn, which begins with its marker.
  std::string prompt(const session& from, std::string_view words) const;

  /// The whole request.
  std::string request(const session& from, const turn& asked) const;

  /// Adds a turn to a history that the client keeps.
  static void remember(session& of, const turn& asked, std::string_view answered);

private:
  std::string body(const session& from, const turn& asked) const;

  const load_plan& plan_;
  std::string run_;
  std::uint64_t first_thread_;     ///< id of the run's first thread: other runs have other ones
  std::vector<std::string> heads_; ///< by tenant, as far as they do not depend on the request
};

} // namespace lang_agent::load
