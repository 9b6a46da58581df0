/// The model inside the process: an upstream without a network, for a first try, tests and loads.
#pragma once

#include "http/upstream.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace lang_agent::http {

struct builtin_options {
  std::uint64_t seed = 1;
  std::chrono::milliseconds first_token_delay{0};
  std::chrono::milliseconds token_interval{0};
  std::size_t words = 0; ///< length of an answer; 0 = as long as what it has to say
};

/// Deterministic: the same options and prompt give the same answer, which tells what the thread
/// holds (number of turns, what the user said before). A token is a word.
std::shared_ptr<upstream> make_builtin_upstream(io_threads threads, builtin_options options);

/// Its answer to a prompt, before any limit on tokens.
std::string builtin_answer(const message_list& prompt, const builtin_options& options);

} // namespace lang_agent::http
