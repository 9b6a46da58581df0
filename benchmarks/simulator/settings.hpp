/// The simulator's TOML: of its file, and of what is put to it while it runs.
#pragma once

#include "benchmarks/simulator/distribution.hpp"
#include "benchmarks/simulator/faults.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lang_agent::simulator {

struct model_settings {
  std::vector<std::string> names{"simulated"};
  distribution first_token_delay = {};
  distribution token_interval = {};
  distribution length = {}; ///< words; 0 = as long as what it has to say
  std::uint64_t slots = 0;  ///< answers at full speed at the same time; 0 = any number
};

struct settings {
  std::string listen = "127.0.0.1:8490";
  std::uint64_t seed = 1;
  model_settings model = {};
  std::vector<fault_rule> faults = {};
};

/// All throw `config_error`; `name` stands for the file in messages.
settings parse_settings(std::string_view text, const std::string& name);
settings load_settings(const std::string& file);

/// Text with [[faults]] only.
std::vector<fault_rule> parse_faults(std::string_view text, const std::string& name);

/// The keys of [model], without its header.
model_settings parse_model(std::string_view text, const std::string& name);

} // namespace lang_agent::simulator
