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

namespace lang_agent {

namespace {

using http::endpoint;

struct admin_request_state {
  static inline const char* name = "lang_agent.admin_request";

  admin_request_actor::pointer self = nullptr;
  std::shared_ptr<const request_context> context;
  std::shared_ptr<incoming_request> incoming;
  request_record record;
  bool csv = false; ///< of usage

  void start();
  void on_account(const account_answer& x);
  void on_store(const store_answer& x);
  void on_gone();

private:
  void ask(account_subject what);
  void change(account_command what);
  void change_key();
  void rotate_key();
  void create_key();
  void put_tenant();
  void read_usage();
  void read_audit();
  void query(store_query x);
  void drain();
  void send(std::string body, const char* type = "application/json");
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
    return put_tenant();
  case endpoint::delete_tenant:
    return change(remove_tenant{head().parameter});
  case endpoint::create_key:
    return create_key();
  case endpoint::change_key:
    return change_key();
  case endpoint::rotate_key:
    return rotate_key();
  case endpoint::delete_key:
    return change(remove_key{head().parameter});
  case endpoint::usage:
    return read_usage();
  case endpoint::audit:
    return read_audit();
  case endpoint::admin_state:
    return send(context->admin.state());
  default:
    return drain();
  }
}

void admin_request_state::ask(account_subject what) {
  caf::anon_send(context->admin.accounts, ask_account{what, head().parameter, self});
}

void admin_request_state::change(account_command what) {
  caf::anon_send(context->admin.accounts, change_account{std::move(what), record.key, self});
}

void admin_request_state::put_tenant() {
  auto decoded = http::decode_tenant(incoming->request.body, head().parameter);
  if (const auto* why = std::get_if<failure>(&decoded))
    return fail(*why);
  change(std::get<tenant_settings>(std::move(decoded)));
}

void admin_request_state::create_key() {
  auto decoded = http::decode_key_change(incoming->request.body, false);
  if (const auto* why = std::get_if<failure>(&decoded))
    return fail(*why);
  change(new_key{head().parameter, std::get<http::key_change>(std::move(decoded))});
}

void admin_request_state::change_key() {
  auto decoded = http::decode_key_change(incoming->request.body, false);
  if (const auto* why = std::get_if<failure>(&decoded))
    return fail(*why);
  change(key_update{head().parameter, std::get<http::key_change>(std::move(decoded))});
}

void admin_request_state::rotate_key() {
  auto decoded = http::decode_key_change(incoming->request.body, true);
  if (const auto* why = std::get_if<failure>(&decoded))
    return fail(*why);
  const auto& x = std::get<http::key_change>(decoded);
  change(key_rotation{head().parameter, x.overlap_s.value_or(0)});
}

void admin_request_state::read_usage() {
  auto decoded = http::decode_usage_query(head().query, unix_now());
  if (const auto* why = std::get_if<failure>(&decoded))
    return fail(*why);
  auto& x = std::get<http::usage_query>(decoded);
  csv = x.csv;
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
    return csv ? send(http::encode_usage_csv(*usage), "text/csv; charset=utf-8")
               : send(http::encode_usage(*usage));
  if (const auto* entries = std::get_if<page<audit_entry>>(&found))
    return send(http::encode_audit(*entries));
  fail(
      {error_kind::invalid_request, "Invalid value for 'after': there is no such entry.", "after"});
}

/// A change that is under way is made all the same.
void admin_request_state::on_gone() {
  finish(499);
}

void admin_request_state::send(std::string body, const char* type) {
  http::response out;
  out.content_type = type;
  out.body = std::move(body);
  http::add_header(out, "cache-control", "no-store"); // keys are shown once
  incoming->responder->send(std::move(out));
  finish(200);
}

void admin_request_state::fail(const failure& why) {
  record.error = why.code.empty() ? std::string{contract_of(why.kind).code} : why.code;
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
      [](const stream_drained&) {},
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
