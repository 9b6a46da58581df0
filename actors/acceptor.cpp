#include "actors/acceptor.hpp"

#include "actors/admin_request.hpp"
#include "actors/thread_request.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

namespace lang_agent {

namespace {

acceptor_actor::behavior_type acceptor(acceptor_actor::pointer self,
                                       const std::shared_ptr<const request_context>& context) {
  return {
      [self, context](incoming_ptr& x) {
        if (x->request.head.target == http::endpoint::chat_completions)
          spawn_request(self->home_system(), context, std::move(x));
        else if (is_admin_endpoint(x->request.head.target))
          spawn_admin_request(self->home_system(), context, std::move(x));
        else
          spawn_thread_request(self->home_system(), context, std::move(x));
      },
  };
}

} // namespace

acceptor_actor spawn_acceptor(caf::actor_system& system,
                              std::shared_ptr<const request_context> context) {
  return system.spawn(acceptor, std::move(context));
}

} // namespace lang_agent
