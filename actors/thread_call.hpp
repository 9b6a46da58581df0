/// What all requests to the thread API have in common: who asks, how to answer, what to log.
#pragma once

#include "actors/request.hpp"
#include "actors/request_log.hpp"
#include "messages/protocol.hpp"

#include <memory>
#include <string>

namespace lang_agent {

/// The failure that a refusal means to a client; `id` is the thread's.
failure failure_of(refusal why, const std::string& id);

failure no_such_thread(const std::string& id);

/// One request, answered at most once. Member of a request actor's state.
class thread_call {
public:
  thread_call() = default;
  thread_call(std::shared_ptr<const request_context> context,
              std::shared_ptr<incoming_request> incoming);

  const request_context& context() const {
    return *context_;
  }
  const http::request& request() const {
    return incoming_->request;
  }
  http::responder& responder() const {
    return *incoming_->responder;
  }

  /// The tenant's thread with this id.
  thread_key key(const std::string& id) const {
    return {record_.tenant, id};
  }
  const std::string& tenant() const {
    return record_.tenant;
  }
  const storage_limits& storage() const;

  /// Sends the events of the connection to `self`.
  void listen(const thread_request_actor& self, std::size_t drain_step) const;

  /// The question or change goes to the journal, or to the conversation of `key`. False: the
  /// journal's queue is full.
  bool ask(const thread_request_actor& self, store_query query) const;
  bool change(const thread_request_actor& self, store_change change, std::size_t bytes = 0) const;
  void change_through_conversation(const thread_request_actor& self, const thread_key& key,
                                   store_change change) const;

  // The end of the call: answer, log.
  void send_json(std::string body);
  void fail(const failure& why);
  /// A stream that has begun, or a client that has left.
  void log(int status);

private:
  std::shared_ptr<const request_context> context_;
  std::shared_ptr<incoming_request> incoming_;
  request_record record_;
};

} // namespace lang_agent
