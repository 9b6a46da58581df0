/// One pool of threads for sockets and actors: a CAF scheduler whose workers run an Asio io_context
/// each.
///
/// A message between actors of the pool is taken up by the thread that sent it: no lock, no
/// wake-up. One from outside goes to the thread where its receiver ran last. So a request stays on
/// the thread of its connection, unless it meets an actor that runs elsewhere at that moment.
#pragma once

#include "http/io_threads.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/fwd.hpp>

#include <cstddef>

namespace lang_agent {

/// Makes systems of `config` run on so many threads of their own.
void use_asio_scheduler(caf::actor_system_config& config, std::size_t threads);

/// The threads of such a system. They end with the system: all that holds sockets or timers of them
/// must be gone by then, or be held by pending handlers, which end with it.
const http::io_threads& io_threads_of(caf::actor_system& system);

} // namespace lang_agent
