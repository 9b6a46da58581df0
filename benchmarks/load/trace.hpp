/// A recorded load to replay: JSON Lines, one request each.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace lang_agent::load {

struct trace_entry {
  double at = 0;           ///< seconds since the start
  std::string thread = {}; ///< requests of one name are turns of one conversation; empty: its own
  std::string prompt = {}; ///< empty: `prompt_words` of ours
  std::uint64_t prompt_words = 0;
  std::optional<std::uint64_t> max_tokens = {};
  std::optional<bool> stream = {}; ///< nothing: as the options say
  std::string tenant = {};         ///< one of the options'; empty: any
};

/// In the order of their times. Throws std::runtime_error that names the line. `name` stands for
/// the file in messages.
std::vector<trace_entry> read_trace(std::istream& in, const std::string& name);

} // namespace lang_agent::load
