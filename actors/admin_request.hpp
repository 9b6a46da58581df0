/// Requests to the admin API: one actor each, for one question or change. Answers `/admin/v1/...`
/// where an admin key is configured.
#pragma once

#include "actors/request.hpp"
#include "messages/interfaces.hpp"

#include <caf/fwd.hpp>

#include <memory>

namespace lang_agent {

bool is_admin_endpoint(http::endpoint x);

admin_request_actor spawn_admin_request(caf::actor_system& system,
                                        std::shared_ptr<const request_context> context,
                                        std::shared_ptr<incoming_request> incoming);

} // namespace lang_agent
