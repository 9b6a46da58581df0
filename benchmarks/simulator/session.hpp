/// One connection of the simulator, from accept to close.
#pragma once

#include "benchmarks/simulator/client.hpp"
#include "benchmarks/simulator/simulation.hpp"

namespace lang_agent::simulator {

/// Runs by itself on the socket's executor. `tls` may be null; both references must outlive the
/// executor's context.
void start_session(asio::ip::tcp::socket socket, asio::ssl::context* tls, simulation& all);

} // namespace lang_agent::simulator
