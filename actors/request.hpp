/// The request actor: one HTTP request that asks for a turn.
///
/// Decodes the body, takes a permit of its tenant, asks the directory for the turn, and turns
/// deltas into server-sent events, or the answer into JSON. It gives credit back as its connection
/// drains. The last event or the JSON leaves only after the turn is stored; a long silence before
/// it is broken with what means nothing. When the client goes
/// away it is told at once and, by policy, cancels the turn or sees it through. Whatever way it
/// ends, its turn is cancelled unless it is over, and its connection gets an answer or is cut.
#pragma once

#include "actors/directory.hpp"
#include "actors/journal.hpp"
#include "actors/routing.hpp"
#include "actors/tenants.hpp"
#include "config/settings.hpp"
#include "http/request_codec.hpp"
#include "http/responder.hpp"
#include "messages/interfaces.hpp"

#include <caf/fwd.hpp>

#include <functional>
#include <memory>
#include <string>

namespace lang_agent {

/// What requests to the admin API need. Empty where it is off.
struct admin_context {
  accounts_actor accounts = {};
  std::function<std::string()> state = {}; ///< JSON; thread-safe, as the next
  std::function<void()> drain = {};
};

/// What all requests share. Immutable.
struct request_context {
  http::decode_options decoding;
  disconnect_policy on_disconnect = disconnect_policy::cancel;
  std::size_t stream_buffer_bytes = 64 * 1024;
  milliseconds sse_keepalive{0};  ///< 0 = none
  milliseconds json_keepalive{0}; ///< 0 = none
  bool log_content = false;
  std::shared_ptr<const routing_table> routes;
  directory_shards directory;
  journal_port journal;                           ///< for the thread API
  std::size_t max_import_line = 32 * 1024 * 1024; ///< in bytes
  admin_context admin;
};

/// A request and the way to answer it, on their way from the connection to the request actor.
struct incoming_request {
  http::request request;
  std::unique_ptr<http::responder> responder;
};

request_actor spawn_request(caf::actor_system& system,
                            std::shared_ptr<const request_context> context,
                            std::shared_ptr<incoming_request> incoming);

} // namespace lang_agent
