/// Requests to the thread API. Each kind is an actor that lives for one request: one question or
/// change, an export (pages of messages, as fast as the client takes them) or an import (as fast as
/// the store takes it).
#pragma once

#include "actors/request.hpp"
#include "messages/interfaces.hpp"

#include <caf/fwd.hpp>

#include <memory>

namespace lang_agent {

/// Looks at the request's target.
thread_request_actor spawn_thread_request(caf::actor_system& system,
                                          std::shared_ptr<const request_context> context,
                                          std::shared_ptr<incoming_request> incoming);

thread_request_actor spawn_thread_export(caf::actor_system& system,
                                         std::shared_ptr<const request_context> context,
                                         std::shared_ptr<incoming_request> incoming);

thread_request_actor spawn_thread_import(caf::actor_system& system,
                                         std::shared_ptr<const request_context> context,
                                         std::shared_ptr<incoming_request> incoming);

} // namespace lang_agent
