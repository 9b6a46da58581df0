#include "actors/admin_request.hpp"

#include "actors/account_messages.hpp"
#include "actors/mailbox_listener.hpp"
#include "actors/request_log.hpp"
#include "http/documents.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <optional>

namespace lang_agent {

namespace {

using http::endpoint;

struct admin_request_state {
  static inline const char* name = "lang_agent.admin_request";

  admin_request_actor::pointer self = nullptr;
  std::shared_ptr<const request_context> context;
  std::shared_ptr<incoming_request> incoming;
  request_record record;
  std::optional<lang_agent::read_usage> table; ///< of usage as CSV: what was asked for last
  bool begun = false;                          ///< its first page is on its way
  std::size_t undrained = 0;                   ///< bytes of it that the client has not taken

  void start();
  void on_account(const account_answer& x);
  void on_store(const store_answer& x);
  void on_drained(std::size_t bytes);
  void on_gone();

private:
  void ask(account_subject what);
  void change(account_command what);
  template <class Decoded, class Make>
  void change_by(std::variant<Decoded, failure> decoded, Make make);
  void change_tenant();
  void create_key();
  void change_key();
  void rotate();
  void read_usage();
  void read_audit();
  void query(store_query x);
  void drain();
  void write_table(const page<usage_row>& x);
  static http::response uncached(const char* type);
  void send(std::string body);
  void fail(const failure& why);
  void finish(int status);

  const http::request_head& head() const {
    return incoming->request.head;
  }
};

void admin_request_state::start() {
  switch (head().target) {
  case endpoint::admin_tenants:
    return ask(account_subject::tenants);
  case endpoint::admin_tenant:
    return ask(account_subject::tenant);
  case endpoint::tenant_keys:
    return ask(account_subject::keys);
  case endpoint::put_tenant:
    return change_tenant();
  case endpoint::delete_tenant:
    return change(remove_tenant{head().parameter});
  case endpoint::create_key:
    return create_key();
  case endpoint::change_key:
    return change_key();
  case endpoint::rotate_key:
    return rotate();
  case endpoint::delete_key:
    return change(remove_key{head().parameter});
  case endpoint::usage:
    return read_usage();
  case endpoint::audit:
    return read_audit();
  case endpoint::admin_state:
    return send(context->admin.state());
  case endpoint::drain:
    return drain();
  default:
    return fail(internal_failure());
  }
}

void admin_request_state::ask(account_subject what) {
  caf::anon_send(context->admin.accounts, ask_account{what, head().parameter, self});
}

void admin_request_state::change(account_command what) {
  caf::anon_send(context->admin.accounts, change_account{std::move(what), record.key, self});
}

/// A command made of a body that was decoded, or not.
template <class Decoded, class Make>
void admin_request_state::change_by(std::variant<Decoded, failure> decoded, Make make) {
  if (const auto* why = std::get_if<failure>(&decoded))
    fail(*why);
  else
    change(make(std::get<Decoded>(std::move(decoded))));
}

void admin_request_state::change_tenant() {
  change_by(http::decode_tenant(incoming->request.body, head().parameter),
            [](tenant_settings x) { return x; });
}

void admin_request_state::create_key() {
  change_by(http::decode_key_change(incoming->request.body, false), [this](http::key_change x) {
    return new_key{head().parameter, std::move(x)};
  });
}

void admin_request_state::change_key() {
  change_by(http::decode_key_change(incoming->request.body, false), [this](http::key_change x) {
    return key_update{head().parameter, std::move(x)};
  });
}

void admin_request_state::rotate() {
  change_by(http::decode_key_change(incoming->request.body, true), [this](const auto& x) {
    return key_rotation{head().parameter, x.overlap_s.value_or(0)};
  });
}

void admin_request_state::read_usage() {
  auto decoded = http::decode_usage_query(head().query, unix_now());
  if (const auto* why = std::get_if<failure>(&decoded))
    return fail(*why);
  auto& x = std::get<http::usage_query>(decoded);
  if (x.csv)
    table = x.read;
  query(std::move(x.read));
}

void admin_request_state::read_audit() {
  auto decoded = http::decode_audit_query(head().query);
  if (const auto* why = std::get_if<failure>(&decoded))
    return fail(*why);
  query(std::get<list_audit>(std::move(decoded)));
}

void admin_request_state::query(store_query x) {
  if (!context->journal.send(ask_store{std::move(x), self}))
    fail(journal_full());
}

void admin_request_state::drain() {
  send(R"({"object":"drain","draining":true})");
  context->admin.drain();
}

void admin_request_state::on_account(const account_answer& x) {
  if (const auto* why = std::get_if<failure>(&x.result))
    fail(*why);
  else
    send(std::get<std::string>(x.result));
}

void admin_request_state::on_store(const store_answer& x) {
  if (const auto* why = std::get_if<failure>(&x.result))
    return fail(*why);
  const auto& found = std::get<query_result>(x.result);
  if (const auto* usage = std::get_if<page<usage_row>>(&found))
    return table ? write_table(*usage) : send(http::encode_usage(*usage));
  if (const auto* entries = std::get_if<page<audit_entry>>(&found))
    return send(http::encode_audit(*entries));
  fail(
      {error_kind::invalid_request, "Invalid value for 'after': there is no such entry.", "after"});
}

/// A table has no place to tell that there is more, so it is sent as a whole, page by page.
void admin_request_state::write_table(const page<usage_row>& x) {
  auto rows = http::encode_usage_csv(x, !begun);
  undrained += rows.size();
  table->after = x.has_more ? std::optional{x.data.back().key} : std::nullopt;
  if (!std::exchange(begun, true)) {
    auto out = uncached("text/csv; charset=utf-8");
    out.body = std::move(rows);
    incoming->responder->begin(std::move(out));
  } else {
    incoming->responder->write(std::move(rows));
  }
  if (!table->after) {
    incoming->responder->end({});
    finish(200);
  }
}

/// Who has taken a page gets the next one.
void admin_request_state::on_drained(std::size_t bytes) {
  if (!table || undrained == 0)
    return;
  undrained -= std::min(undrained, bytes);
  if (undrained == 0)
    query(*table);
}

/// A change that is under way is made all the same.
void admin_request_state::on_gone() {
  finish(499);
}

http::response admin_request_state::uncached(const char* type) {
  http::response out;
  out.content_type = type;
  http::add_header(out, "cache-control", "no-store"); // keys are shown once
  return out;
}

void admin_request_state::send(std::string body) {
  auto out = uncached("application/json");
  out.body = std::move(body);
  incoming->responder->send(std::move(out));
  finish(200);
}

void admin_request_state::fail(const failure& why) {
  record.error = code_of(why);
  if (!begun) // else it is cut
    incoming->responder->send(http::error_response(why));
  finish(why.http_status());
}

void admin_request_state::finish(int status) {
  record.status = status;
  log_request(record);
  self->quit();
}

admin_request_actor::behavior_type
admin_request(admin_request_actor::stateful_pointer<admin_request_state> self,
              const std::shared_ptr<const request_context>& context,
              const std::shared_ptr<incoming_request>& incoming) {
  auto& state = self->state;
  state.self = self;
  state.context = context;
  state.incoming = incoming;
  state.record.head = incoming->request.head;
  state.record.key = caller_of(state.record.head).key;
  incoming->responder->listen(std::make_shared<mailbox_listener<admin_request_actor>>(self), 1,
                              std::chrono::milliseconds{0});
  state.start();
  return {
      [self](const account_answer& x) { self->state.on_account(x); },
      [self](const store_answer& x) { self->state.on_store(x); },
      [self](const stream_drained& x) { self->state.on_drained(x.bytes); },
      [self](client_gone) { self->state.on_gone(); },
  };
}

} // namespace

bool is_admin_endpoint(endpoint x) {
  return x >= endpoint::admin_tenants && x <= endpoint::drain;
}

admin_request_actor spawn_admin_request(caf::actor_system& system,
                                        std::shared_ptr<const request_context> context,
                                        std::shared_ptr<incoming_request> incoming) {
  return system.spawn(admin_request, std::move(context), std::move(incoming));
}

} // namespace lang_agent
