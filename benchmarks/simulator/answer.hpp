/// Answers one chat request, well or as its fault wants it.
#pragma once

#include "benchmarks/simulator/client.hpp"
#include "benchmarks/simulator/exchange.hpp"
#include "benchmarks/simulator/simulation.hpp"

namespace lang_agent::simulator {

/// Until the answer is sent or the connection is at its end; the log has it then.
asio::awaitable<void> answer_chat(client& to, simulation& all, const request& asked);

} // namespace lang_agent::simulator
