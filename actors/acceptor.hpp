/// The HTTP acceptor actor: spawns one request actor per request, and nothing else.
///
/// Every request crosses an acceptor, so it must stay cheap; there is one per thread of the pool.
#pragma once

#include "actors/request.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/typed_actor.hpp>

#include <memory>

namespace lang_agent {

using incoming_ptr = std::shared_ptr<incoming_request>;
using acceptor_actor = caf::typed_actor<caf::reacts_to<incoming_ptr>>;

acceptor_actor spawn_acceptor(caf::actor_system& system,
                              std::shared_ptr<const request_context> context);

} // namespace lang_agent

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lang_agent::incoming_ptr)
