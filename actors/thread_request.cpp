#include "actors/thread_request.hpp"

#include "actors/thread_call.hpp"
#include "http/ids.hpp"
#include "http/thread_codec.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

namespace lang_agent {

namespace {

using http::endpoint;

/// Lists say newest first unless asked otherwise, messages are read from the beginning.
constexpr bool threads_ascend = false;
constexpr bool messages_ascend = true;
/// A page of long messages ends early; `has_more` tells.
constexpr std::size_t page_bytes = 4 * 1024 * 1024;

struct thread_request_state {
  static inline const char* name = "lang_agent.thread_request";

  thread_request_actor::pointer self = nullptr;
  thread_call call;
  std::string id;     ///< of the thread in the path
  std::string new_id; ///< of a fork

  void start();
  void on_answer(const store_answer& x);
  void on_gone();

private:
  void list_all();
  void list_of_thread();
  void change_pairs();
  void fork();
  void ask(store_query query);
  void fail(const failure& why);
  void answer(const query_result& x);
  void answer(const change_result& x);
  void send(std::string json);

  const http::request_head& head() const {
    return call.request().head;
  }
};

void thread_request_state::start() {
  id = head().parameter;
  if (head().target != endpoint::threads && !http::is_thread_id(id)) {
    fail(no_such_thread(id));
    return;
  }
  switch (head().target) {
  case endpoint::threads:
    return list_all();
  case endpoint::thread_messages:
    return list_of_thread();
  case endpoint::change_thread:
    return change_pairs();
  case endpoint::fork_thread:
    return fork();
  case endpoint::delete_thread:
    return call.change_through_conversation(self, call.key(id), delete_thread{call.key(id)});
  default:
    return ask(find_thread{call.key(id)});
  }
}

void thread_request_state::list_all() {
  auto decoded = http::decode_list_query(head().query);
  if (const auto* why = std::get_if<failure>(&decoded))
    return fail(*why);
  const auto& x = std::get<http::list_parameters>(decoded);
  ask(list_threads{call.tenant(), x.limit, x.ascending.value_or(threads_ascend), x.after});
}

void thread_request_state::list_of_thread() {
  auto decoded = http::decode_list_query(head().query);
  if (const auto* why = std::get_if<failure>(&decoded))
    return fail(*why);
  const auto& x = std::get<http::list_parameters>(decoded);
  list_messages query{call.key(id), x.limit, x.ascending.value_or(messages_ascend)};
  query.superseded = x.superseded;
  query.max_bytes = page_bytes;
  query.after = http::parse_message_id(x.after);
  if (!x.after.empty() && !query.after)
    return fail(
        {error_kind::invalid_request, "Invalid value for 'after': it is no message id.", "after"});
  ask(std::move(query));
}

void thread_request_state::change_pairs() {
  auto decoded = http::decode_metadata_changes(call.request().body);
  if (const auto* why = std::get_if<failure>(&decoded))
    return fail(*why);
  change_metadata change{call.key(id), {}};
  std::get<0>(decoded).swap(change.changes);
  if (!call.change(self, std::move(change)))
    fail(journal_full());
}

void thread_request_state::fork() {
  auto decoded = http::decode_fork(call.request().body);
  if (const auto* why = std::get_if<failure>(&decoded))
    return fail(*why);
  auto& x = std::get<http::fork_parameters>(decoded);
  const auto source = call.key(id);
  new_id = x.id.empty() ? "thread_" + http::random_id(24) : x.id;
  const auto target = call.key(new_id);
  const auto& storage = call.storage();
  call.change_through_conversation(
      self, target,
      fork_thread{source, target, x.up_to, unix_now(), storage.threads, storage.bytes});
}

void thread_request_state::ask(store_query query) {
  if (!call.ask(self, std::move(query)))
    fail(journal_full());
}

void thread_request_state::on_answer(const store_answer& x) {
  if (const auto* why = std::get_if<failure>(&x.result))
    fail(*why);
  else if (const auto* found = std::get_if<query_result>(&x.result))
    answer(*found);
  else
    answer(std::get<change_result>(x.result));
}

void thread_request_state::answer(const query_result& x) {
  if (const auto* thread = std::get_if<thread_info>(&x))
    send(http::encode_thread(*thread, true));
  else if (const auto* threads = std::get_if<page<thread_info>>(&x))
    send(http::encode_thread_list(*threads));
  else if (const auto* messages = std::get_if<page<stored_message>>(&x))
    send(http::encode_message_list(*messages));
  else if (head().target == endpoint::threads)
    fail({error_kind::invalid_request, "Invalid value for 'after': there is no such thread.",
          "after"});
  else
    fail(no_such_thread(id));
}

void thread_request_state::answer(const change_result& x) {
  if (const auto* thread = std::get_if<thread_info>(&x)) {
    send(http::encode_thread(*thread, true));
  } else if (const auto* why = std::get_if<refusal>(&x)) {
    fail(failure_of(*why, *why == refusal::thread_exists ? new_id : id));
  } else {
    send(http::encode_thread_deleted(id));
  }
}

void thread_request_state::send(std::string json) {
  call.send_json(std::move(json));
  self->quit();
}

void thread_request_state::fail(const failure& why) {
  call.fail(why);
  self->quit();
}

/// A change that is under way is made all the same.
void thread_request_state::on_gone() {
  call.log(499);
  self->quit();
}

thread_request_actor::behavior_type
thread_request(thread_request_actor::stateful_pointer<thread_request_state> self,
               const std::shared_ptr<const request_context>& context,
               const std::shared_ptr<incoming_request>& incoming) {
  auto& state = self->state;
  state.self = self;
  state.call = {context, incoming};
  state.call.listen(self, 1);
  state.start();
  return {
      [self](const store_answer& x) { self->state.on_answer(x); },
      [](const body_arrived&) {},
      [](const stream_drained&) {},
      [self](client_gone) { self->state.on_gone(); },
  };
}

} // namespace

thread_request_actor spawn_thread_request(caf::actor_system& system,
                                          std::shared_ptr<const request_context> context,
                                          std::shared_ptr<incoming_request> incoming) {
  switch (incoming->request.head.target) {
  case endpoint::export_thread:
    return spawn_thread_export(system, std::move(context), std::move(incoming));
  case endpoint::import_threads:
    return spawn_thread_import(system, std::move(context), std::move(incoming));
  default:
    return system.spawn(thread_request, std::move(context), std::move(incoming));
  }
}

} // namespace lang_agent
