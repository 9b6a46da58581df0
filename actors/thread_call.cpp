#include "actors/thread_call.hpp"

#include "actors/journal.hpp"
#include "actors/mailbox_listener.hpp"
#include "http/rate_headers.hpp"

#include <caf/send.hpp>

namespace lang_agent {

namespace {

/// These requests may stream their body, too.
class upload_listener final : public mailbox_listener<thread_request_actor> {
public:
  using mailbox_listener::mailbox_listener;

  void on_body(std::string piece, bool last) override {
    caf::anon_send(to_, body_arrived{std::move(piece), last});
  }
};

} // namespace

failure no_such_thread(const std::string& id) {
  return {error_kind::thread_not_found, "No thread with id '" + id + "' found."};
}

failure failure_of(refusal why, const std::string& id) {
  switch (why) {
  case refusal::no_thread:
    return no_such_thread(id);
  case refusal::no_message:
    return {error_kind::invalid_request,
            "Invalid value for 'up_to': it is the id of no live message of the thread.", "up_to"};
  case refusal::thread_exists:
    return {error_kind::thread_exists, "A thread with id '" + id
                                           + "' exists already. Choose another id, or delete it "
                                             "first."};
  case refusal::too_much_metadata:
    return {error_kind::invalid_request,
            "Invalid value for 'metadata': a thread can have " + std::to_string(max_metadata_pairs)
                + " pairs at most.",
            "metadata"};
  case refusal::thread_full:
    return {error_kind::invalid_request, "A thread cannot have so many messages."};
  case refusal::too_many_threads:
  case refusal::too_many_bytes:
    return storage_limit_reached(why);
  case refusal::thread_changed:
  case refusal::key_used:
  case refusal::no_account: // these two are none of a thread's
  case refusal::key_taken:
    break;
  }
  return {error_kind::thread_changed, "The thread was changed meanwhile. Please retry."};
}

thread_call::thread_call(std::shared_ptr<const request_context> context,
                         std::shared_ptr<incoming_request> incoming)
    : context_(std::move(context)), incoming_(std::move(incoming)) {
  record_.head = request().head;
  const auto& who = caller_of(record_.head);
  record_.tenant = who.owner->name();
  record_.key = who.key;
  record_.thread = record_.head.parameter;
}

const storage_limits& thread_call::storage() const {
  return caller_of(record_.head).owner->settings.storage;
}

void thread_call::listen(const thread_request_actor& self, std::size_t drain_step) const {
  responder().listen(std::make_shared<upload_listener>(self), drain_step,
                     std::chrono::milliseconds{0});
}

bool thread_call::ask(const thread_request_actor& self, store_query query) const {
  return context_->journal.send(ask_store{std::move(query), self});
}

bool thread_call::change(const thread_request_actor& self, store_change change,
                         std::size_t bytes) const {
  return context_->journal.send(change_thread{{}, std::move(change), self}, bytes);
}

void thread_call::change_through_conversation(const thread_request_actor& self,
                                              const thread_key& key, store_change change) const {
  caf::anon_send(shard_of(context_->directory, key), change_thread{key, std::move(change), self});
}

void thread_call::send_json(std::string body) {
  http::response out;
  out.body = std::move(body);
  http::add_rate_headers(out, rates_of(caller_of(record_.head)));
  responder().send(std::move(out));
  log(200);
}

void thread_call::fail(const failure& why) {
  record_.error = code_of(why);
  auto out = http::error_response(why);
  http::add_rate_headers(out, rates_of(caller_of(record_.head)));
  responder().send(std::move(out));
  log(why.http_status());
}

void thread_call::log(int status) {
  record_.status = status;
  log_request(record_);
}

} // namespace lang_agent
