/// One pool of threads for sockets and actors: a CAF scheduler that resumes actors on an Asio
/// io_context.
///
/// A message between actors of the pool becomes an `asio::defer`, which the running thread picks up
/// itself: no wake-up, no second queue. CAF's timers run on the same context. Measured against
/// CAF's own schedulers in `docs/architecture.md`.
#pragma once

#include <caf/actor_system_config.hpp>

#include <boost/asio/io_context.hpp>

#include <cstddef>

namespace lang_agent {

/// Makes systems of `config` run on `context`, in `threads` threads that start and stop with the
/// system. The context must outlive the system.
void use_asio_scheduler(caf::actor_system_config& config, boost::asio::io_context& context,
                        std::size_t threads);

} // namespace lang_agent
