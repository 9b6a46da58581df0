#include "actors/thread_call.hpp"
#include "actors/thread_request.hpp"
#include "http/thread_codec.hpp"
#include "http/thread_header.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <spdlog/spdlog.h>

#include <optional>

namespace lang_agent {

namespace {

/// Of one page: most threads fit into one.
constexpr std::size_t page_messages = 2000;
constexpr std::size_t page_bytes = 1024 * 1024;
/// The next page is read when less than this is waiting for the client.
constexpr std::size_t drain_step = 64 * 1024;

struct thread_export_state {
  static inline const char* name = "lang_agent.thread_export";

  thread_request_actor::pointer self = nullptr;
  thread_call call;
  std::string id;
  std::optional<thread_info> thread; ///< as it was at the beginning
  bool begun = false;
  bool complete = false; ///< all pages are read
  bool asking = false;
  std::uint64_t last = 0; ///< number of the last message
  std::uint64_t lines = 0;
  std::size_t pages = 0;
  std::size_t undrained = 0;

  void start() {
    id = call.request().head.parameter;
    ask(read_thread{page_after(0)});
  }

  void on_answer(const store_answer& x) {
    asking = false;
    if (const auto* why = std::get_if<failure>(&x.result)) {
      fail(*why);
      return;
    }
    const auto& found = std::get<query_result>(x.result);
    if (const auto* first = std::get_if<thread_with_messages>(&found)) {
      thread = first->thread;
      on_page(first->messages);
    } else if (const auto* info = std::get_if<thread_info>(&found))
      on_end(*info);
    else if (const auto* page_found = std::get_if<page<stored_message>>(&found))
      on_page(*page_found);
    else
      fail(no_such_thread(id));
  }

  void on_drained(std::size_t bytes) {
    undrained -= std::min(undrained, bytes);
    go_on();
  }

  void on_gone() {
    call.log(499);
    self->quit();
  }

private:
  /// What has become of the thread since its first page.
  void on_end(const thread_info& now) {
    if (now.turns == thread->turns && now.updated == thread->updated) {
      end();
    } else {
      fail({error_kind::thread_changed, "The thread was changed during its export. Please retry."});
    }
  }

  void on_page(const page<stored_message>& x) {
    std::string text;
    if (!begun)
      text = http::export_thread_line(*thread);
    for (const auto& message : x.data)
      text += http::export_message_line(message);
    lines += x.data.size();
    ++pages;
    if (!x.data.empty())
      last = x.data.back().number;
    complete = !x.has_more;
    write(std::move(text));
    go_on();
  }

  void go_on() {
    if (asking || !begun || undrained >= 2 * drain_step)
      return;
    if (!complete)
      ask(page_after(last));
    else if (pages > 1)
      ask(find_thread{call.key(id)}); // a turn may have come between two pages
    else
      end();
  }

  void write(std::string text) {
    undrained += text.size();
    if (begun) {
      call.responder().write(std::move(text));
      return;
    }
    begun = true;
    http::response out;
    out.content_type = "application/jsonl";
    http::add_header(out, "x-thread-id", http::thread_header(id));
    out.body = std::move(text);
    call.responder().begin(std::move(out));
  }

  void end() {
    call.responder().end(http::export_end_line(id, lines));
    call.log(200);
    self->quit();
  }

  list_messages page_after(std::uint64_t number) const {
    list_messages out{call.key(id), page_messages};
    out.superseded = true;
    out.max_bytes = page_bytes;
    out.after = number;
    return out;
  }

  void ask(store_query query) {
    asking = true;
    if (!call.ask(self, std::move(query)))
      fail(journal_full());
  }

  /// A begun export is cut: it lacks the line that ends it.
  void fail(const failure& why) {
    if (begun) {
      spdlog::warn("export was cut id={} what=\"{}\"", call.request().head.request_id, why.message);
      call.log(why.http_status());
    } else {
      call.fail(why);
    }
    self->quit();
  }
};

thread_request_actor::behavior_type
thread_export(thread_request_actor::stateful_pointer<thread_export_state> self,
              const std::shared_ptr<const request_context>& context,
              const std::shared_ptr<incoming_request>& incoming) {
  auto& state = self->state;
  state.self = self;
  state.call = {context, incoming};
  state.call.listen(self, drain_step);
  state.start();
  return {
      [self](const store_answer& x) { self->state.on_answer(x); },
      [](const body_arrived&) {},
      [self](const stream_drained& x) { self->state.on_drained(x.bytes); },
      [self](client_gone) { self->state.on_gone(); },
  };
}

} // namespace

thread_request_actor spawn_thread_export(caf::actor_system& system,
                                         std::shared_ptr<const request_context> context,
                                         std::shared_ptr<incoming_request> incoming) {
  return system.spawn(thread_export, std::move(context), std::move(incoming));
}

} // namespace lang_agent
