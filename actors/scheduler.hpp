/// One pool of threads for sockets and actors: a CAF scheduler that resumes actors on an Asio
/// io_context.
///
/// A message between actors of the pool becomes an `asio::defer`, which the running thread picks up
/// itself: no wake-up, no second queue. CAF's timers run on the same context.
#pragma once

#include <caf/actor_system_config.hpp>
#include <caf/fwd.hpp>

#include <boost/asio/io_context.hpp>

#include <cstddef>

namespace lang_agent {

/// Makes systems of `config` run on an io_context of their own, in so many threads.
void use_asio_scheduler(caf::actor_system_config& config, std::size_t threads);

/// The context of such a system. It ends with the system: all that holds sockets or timers of it
/// must be gone by then, or be held by pending handlers, which end with it.
boost::asio::io_context& io_context_of(caf::actor_system& system);

} // namespace lang_agent
