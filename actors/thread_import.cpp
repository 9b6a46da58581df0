#include "actors/import_parser.hpp"
#include "actors/thread_call.hpp"
#include "actors/thread_request.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <optional>

namespace lang_agent {

namespace {

std::size_t bytes_of(const import_messages& x) {
  std::size_t out = 0;
  for (const auto& message : x.messages)
    out += message.message->json.size();
  return out;
}

struct thread_import_state {
  static inline const char* name = "lang_agent.thread_import";

  thread_request_actor::pointer self = nullptr;
  thread_call call;
  std::optional<import_parser> parser; ///< until the import has ended
  std::vector<thread_info> imported;

  ~thread_import_state() {
    discard();
  }

  void start() {
    parser.emplace(call.tenant(), call.context().max_import_line);
    call.responder().read_body();
  }

  void on_body(const body_arrived& x) {
    if (!parser)
      return;
    parser->feed(x.piece, x.last);
    go_on();
  }

  /// Of the store, to the last step.
  void on_answer(const store_answer& x) {
    if (!parser)
      return;
    if (const auto* why = std::get_if<failure>(&x.result)) {
      fail(*why);
      return;
    }
    if (const auto* found = std::get_if<query_result>(&x.result)) {
      if (std::holds_alternative<thread_info>(*found))
        fail(failure_of(refusal::thread_exists, parser->thread_id()));
      else
        go_on();
      return;
    }
    const auto& result = std::get<change_result>(x.result);
    if (const auto* why = std::get_if<refusal>(&result)) {
      fail(failure_of(*why, parser->thread_id()));
      return;
    }
    if (const auto* thread = std::get_if<thread_info>(&result))
      keep(*thread);
    go_on();
  }

  void on_gone() {
    discard();
    call.log(499);
    self->quit();
  }

private:
  /// For the answer, which has no instructions: a file may hold very many threads.
  void keep(thread_info x) {
    x.instructions.clear();
    imported.push_back(std::move(x));
  }

  void go_on() {
    auto step = parser->next();
    std::visit([this](auto& x) { take(x); }, step);
  }

  void take(import_parser::need_input) {
    call.responder().read_body();
  }

  void take(import_parser::complete) {
    parser.reset();
    call.send_json(http::encode_import_result(imported));
    self->quit();
  }

  void take(find_thread& x) {
    if (!call.ask(self, std::move(x)))
      fail(journal_full());
  }

  void take(import_messages& x) {
    const auto bytes = bytes_of(x);
    if (!call.change(self, std::move(x), bytes))
      fail(journal_full());
  }

  void take(finish_import& x) {
    const auto key = x.key;
    x.max_threads = call.storage().threads;
    x.max_stored_bytes = call.storage().bytes;
    call.change_through_conversation(self, key, std::move(x));
  }

  void take(const failure& why) {
    fail(why);
  }

  void fail(failure why) {
    if (!imported.empty())
      why.message += " " + std::to_string(imported.size())
                     + " threads that came before it in the file were imported.";
    discard();
    call.fail(why);
    self->quit();
  }

  /// What is in the store of an unfinished thread goes.
  void discard() {
    const auto unfinished = parser ? parser->unfinished() : std::nullopt;
    parser.reset();
    if (unfinished)
      call.context().journal.send_always(change_thread{{}, *unfinished});
  }
};

thread_request_actor::behavior_type
thread_import(thread_request_actor::stateful_pointer<thread_import_state> self,
              const std::shared_ptr<const request_context>& context,
              const std::shared_ptr<incoming_request>& incoming) {
  auto& state = self->state;
  state.self = self;
  state.call = {context, incoming};
  state.call.listen(self, 1);
  state.start();
  return {
      [self](const store_answer& x) { self->state.on_answer(x); },
      [self](const body_arrived& x) { self->state.on_body(x); },
      [](const stream_drained&) {},
      [self](client_gone) { self->state.on_gone(); },
  };
}

} // namespace

thread_request_actor spawn_thread_import(caf::actor_system& system,
                                         std::shared_ptr<const request_context> context,
                                         std::shared_ptr<incoming_request> incoming) {
  return system.spawn(thread_import, std::move(context), std::move(incoming));
}

} // namespace lang_agent
