#include "actors/request.hpp"

#include "actors/mailbox_listener.hpp"
#include "actors/request_log.hpp"
#include "http/answer_encoder.hpp"
#include "http/json.hpp"
#include "http/rate_headers.hpp"
#include "http/replay.hpp"
#include "http/thread_header.hpp"
#include "messages/protocol.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <ctime>
#include <optional>

namespace lang_agent {

namespace {

failure unknown_model(const std::string& name) {
  return {error_kind::model_not_found,
          "The model '" + name
              + "' does not exist or you do not have access to it. GET /v1/models "
                "lists those that you may use.",
          "model"};
}

failure unsupported_parameter(const std::string& name, const std::string& model) {
  failure out{error_kind::invalid_request,
              "The parameter '" + name + "' is not supported with the model '" + model + "'."};
  out.param = name;
  out.code = "unsupported_parameter";
  return out;
}

/// What the client was sent and has not taken yet, in bytes on the wire and in credit.
class undrained {
public:
  void add(std::size_t wire, std::size_t credit) {
    wire_ += wire;
    credit_ += credit;
  }

  /// The credit that so many drained bytes give back. Bytes on the wire always outnumber credit, so
  /// what was sent within the credit reaches the connection's reporting step.
  std::size_t take(std::size_t wire) {
    if (wire >= wire_) {
      wire_ = 0;
      return std::exchange(credit_, 0);
    }
    const auto part = static_cast<std::size_t>(
        static_cast<double>(credit_) * static_cast<double>(wire) / static_cast<double>(wire_));
    wire_ -= wire;
    credit_ -= part;
    return part;
  }

private:
  std::size_t wire_ = 0;
  std::size_t credit_ = 0;
};

/// Who may answer, and who of them does not take such a request.
struct choice_of_upstreams {
  route_ptr where;
  std::vector<std::size_t> refusing;
};

struct request_state {
  static inline const char* name = "lang_agent.request";

  request_actor::pointer self = nullptr;
  std::shared_ptr<const request_context> context;
  std::unique_ptr<http::responder> to;

  request_record record; ///< for the log
  thread_key key;
  std::optional<turn_id> turn; ///< set while the turn is running
  bool stream = false;
  bool include_usage = false;
  bool begun = false;
  bool gone = false; ///< the client has left; the turn goes on by policy
  std::optional<http::answer_encoder> encoder;
  llm_client_actor source;
  undrained unpaid;
  std::optional<rates_left> left; ///< of the tenant's limits, when the turn had its part

  ~request_state() {
    cancel_turn();
  }

  void start(http::request request);
  void on_deltas(const answer_deltas& x);
  void on_committed(const turn_committed& x);
  void on_replayed(const turn_replayed& x);
  void on_failed(const turn_failed& x);
  void on_drained(std::size_t bytes);
  void on_silent();
  void on_gone();

private:
  void ask(http::chat_request& decoded, digest body, choice_of_upstreams from,
           reservation_ptr permit);
  std::variant<http::chat_request, failure> decode(std::string_view body,
                                                   const tenant_settings& owner) const;
  static charge charge_of(const http::chat_request& x, const caller& who);
  http::response head() const;
  http::response head(const context_size& size, const origin_ptr& origin) const;
  void answer(http::response whole);
  void fail(const failure& why);
  void finish(int status);
  void cancel_turn();
  void add_rates(http::response& out) const;

  http::responder& responder() const {
    return *to;
  }
};

void request_state::start(http::request request) {
  record.head = std::move(request.head);
  record.timing.received = record.head.received;
  record.timing.started = std::chrono::steady_clock::now();
  const auto& who = caller_of(record.head);
  const auto& owner = *who.owner;
  record.tenant = owner.name();
  record.key = who.key;
  auto decoded = decode(request.body, owner.settings);
  const auto body = http::body_digest(request.body);
  if (context->log_content)
    log_content(record.head.request_id, "request", request.body);
  request.body = {};
  if (const auto* why = std::get_if<failure>(&decoded)) {
    fail(*why);
    return;
  }
  auto& chat = std::get<http::chat_request>(decoded);
  record.model = chat.parameters.model;
  record.thread = chat.thread;
  record.stream = chat.parameters.stream;
  auto route = context->routes->find(owner.name(), chat.parameters.model);
  if (!route || !owner.may_use(chat.parameters.model)) {
    fail(unknown_model(chat.parameters.model));
    return;
  }
  auto refused = context->routes->refused(*route, chat.parameters);
  if (!refused.parameter.empty()) {
    fail(unsupported_parameter(refused.parameter, chat.parameters.model));
    return;
  }
  auto permit = owner.account->reserve(charge_of(chat, who));
  if (const auto* why = std::get_if<failure>(&permit)) {
    fail(*why);
    return;
  }
  ask(chat, body, {std::move(route), std::move(refused.upstreams)},
      std::get<reservation_ptr>(std::move(permit)));
}

std::variant<http::chat_request, failure>
request_state::decode(std::string_view body, const tenant_settings& owner) const {
  if (!owner.default_thread)
    return http::decode_chat_request(body, context->decoding);
  auto options = context->decoding;
  options.default_thread = *owner.default_thread;
  return http::decode_chat_request(body, options);
}

/// What is known of a turn's tokens before its thread is.
charge request_state::charge_of(const http::chat_request& x, const caller& who) {
  return {who.key, x.parameters.model, who.owner->price_of(x.parameters.model), x.parameters.stream,
          http::estimate_tokens(x.instructions) + http::estimate_tokens(x.messages)
              + answer_limit(x.parameters)};
}

void request_state::ask(http::chat_request& decoded, digest body, choice_of_upstreams from,
                        reservation_ptr permit) {
  record.timing.decoded = std::chrono::steady_clock::now();
  stream = decoded.parameters.stream;
  include_usage = decoded.parameters.include_usage;
  responder().listen(std::make_shared<answer_listener>(self), context->stream_buffer_bytes / 2,
                     stream ? context->sse_keepalive : context->json_keepalive);

  auto asked = std::make_shared<lang_agent::turn>(self);
  asked->key = key = {record.tenant, decoded.thread};
  asked->stateless = decoded.thread.empty();
  asked->request_id = record.head.request_id;
  asked->answer_id = http::make_answer_id();
  asked->created = std::time(nullptr);
  asked->request = body;
  asked->idempotency_key = record.head.idempotency_key;
  asked->is_retry = record.head.is_retry;
  encoder.emplace(asked->answer_id, asked->created, decoded.parameters.model, include_usage);
  asked->route = std::move(from.where);
  asked->refusing = std::move(from.refusing);
  asked->parameters = std::move(decoded.parameters);
  asked->instructions = std::move(decoded.instructions);
  asked->messages = std::move(decoded.messages);
  asked->arrived = self->clock().now();
  const auto& owner = *caller_of(record.head).owner;
  asked->share = owner.share;
  asked->on_busy = owner.settings.on_busy;
  asked->storage = owner.settings.storage;
  left = permit->left();
  asked->meter = {permit, &permit->meter()};
  asked->in_flight = std::move(permit);
  turn = asked->id;
  caf::anon_send(shard_of(context->directory, key), std::move(asked));
}

http::response request_state::head(const context_size& size, const origin_ptr& origin) const {
  auto out = head();
  if (auto timing = record.timing.header(); !timing.empty())
    http::add_header(out, "server-timing", timing);
  if (origin && origin->attempts > 1)
    http::add_header(out, "x-upstream-attempts", std::to_string(origin->attempts));
  if (origin && !origin->dropped.empty())
    http::add_header(out, "x-dropped-parameters", origin->dropped);
  if (!key.thread.empty())
    http::add_header(out, "x-context-messages",
                     std::to_string(size.used) + "/" + std::to_string(size.total));
  return out;
}

http::response request_state::head() const {
  http::response out;
  if (!key.thread.empty())
    http::add_header(out, "x-thread-id", http::thread_header(key.thread));
  if (stream) {
    out.content_type = "text/event-stream; charset=utf-8";
    http::add_header(out, "cache-control", "no-cache, no-transform");
    http::add_header(out, "x-accel-buffering", "no");
  }
  add_rates(out);
  return out;
}

void request_state::add_rates(http::response& out) const {
  http::add_rate_headers(out, left ? *left : rates_of(caller_of(record.head)));
}

void request_state::on_deltas(const answer_deltas& x) {
  std::size_t credit = 0;
  std::string events;
  for (const auto& delta : x.deltas) {
    credit += delta.cost();
    encoder->delta(events, delta);
  }
  source = x.from;
  if (gone) {
    caf::anon_send(source, credit_granted{x.id, credit});
    return;
  }
  unpaid.add(events.size(), credit);
  if (!record.timing.first_token) {
    record.timing.first_token = std::chrono::steady_clock::now();
    record.origin = x.origin;
    if (x.origin)
      record.timing.stations = x.origin->stations;
  }
  if (begun) {
    responder().write(std::move(events));
    return;
  }
  begun = true;
  auto response = head(x.context, x.origin);
  response.body = std::move(events);
  responder().begin(std::move(response));
}

/// Proxies cut connections that say nothing for long. What is sent costs no credit: the upstream
/// did not send it.
void request_state::on_silent() {
  if (gone)
    return;
  std::string nothing = stream ? ": keep-alive\n\n" : " ";
  unpaid.add(nothing.size(), 0);
  if (begun) {
    responder().write(std::move(nothing));
    return;
  }
  begun = true;
  auto response = head();
  response.body = std::move(nothing);
  responder().begin(std::move(response));
}

/// A plain answer, whose head may be on its way already.
void request_state::answer(http::response whole) {
  if (begun)
    responder().end(std::move(whole.body));
  else
    responder().send(std::move(whole));
}

void request_state::on_committed(const turn_committed& x) {
  turn.reset();
  record.usage = x.result->usage;
  record.origin = x.origin;
  record.timing.stations = x.stations;
  if (context->log_content)
    log_content(record.head.request_id, "answer", x.result->choices.front().message);
  if (!stream) {
    auto response = head(x.context, x.origin);
    response.body = x.json ? *x.json : encoder->whole(*x.result);
    answer(std::move(response));
  } else {
    std::string events;
    encoder->finish(events, *x.result);
    if (!begun)
      responder().begin(head(x.context, x.origin));
    responder().end(std::move(events));
  }
  finish(200);
}

/// The answer of an earlier attempt, in the form that this one asks for.
void request_state::on_replayed(const turn_replayed& x) {
  turn.reset();
  auto response = head();
  http::add_header(response, "x-idempotent-replay", "true");
  record.replayed = true;
  if (!stream) {
    response.body = *x.json;
    answer(std::move(response));
  } else {
    if (!begun)
      responder().begin(std::move(response));
    responder().end(http::stream_of(*x.json, include_usage));
  }
  finish(200);
}

void request_state::on_failed(const turn_failed& x) {
  turn.reset();
  fail(x.why);
}

void request_state::fail(const failure& why) {
  record.error = code_of(why);
  if (begun && stream) {
    responder().end(http::answer_encoder::error_event(why));
  } else {
    auto response = http::error_response(why);
    if (!key.thread.empty())
      http::add_header(response, "x-thread-id", http::thread_header(key.thread));
    add_rates(response);
    answer(std::move(response));
  }
  finish(why.http_status());
}

void request_state::on_drained(std::size_t bytes) {
  const auto credit = unpaid.take(bytes);
  if (turn && credit > 0)
    caf::anon_send(source, credit_granted{*turn, credit});
}

/// Takes the answer all the same until the turn is over: a retry may be waiting for it.
void request_state::on_gone() {
  gone = true;
  on_drained(std::numeric_limits<std::size_t>::max()); // nobody will take it: it counts as taken
  const auto& policy = caller_of(record.head).owner->settings.on_disconnect;
  if (policy.value_or(context->on_disconnect) == disconnect_policy::cancel)
    cancel_turn();
}

void request_state::finish(int status) {
  record.status = gone ? 499 : status; // as nginx logs a client that closed its request
  log_request(record);
  self->quit();
}

void request_state::cancel_turn() {
  if (turn)
    caf::anon_send(shard_of(context->directory, key), turn_cancelled{key, *turn});
}

request_actor::behavior_type request(request_actor::stateful_pointer<request_state> self,
                                     const std::shared_ptr<const request_context>& context,
                                     const std::shared_ptr<incoming_request>& incoming) {
  auto& state = self->state;
  state.self = self;
  state.context = context;
  state.to = std::move(incoming->responder);
  state.start(std::move(incoming->request));
  return {
      [self](const answer_deltas& x) { self->state.on_deltas(x); },
      [self](const turn_committed& x) { self->state.on_committed(x); },
      [self](const turn_replayed& x) { self->state.on_replayed(x); },
      [self](const turn_failed& x) { self->state.on_failed(x); },
      [self](const stream_drained& x) { self->state.on_drained(x.bytes); },
      [self](stream_silent) { self->state.on_silent(); },
      [self](client_gone) { self->state.on_gone(); },
  };
}

} // namespace

request_actor spawn_request(caf::actor_system& system,
                            std::shared_ptr<const request_context> context,
                            std::shared_ptr<incoming_request> incoming) {
  return system.spawn(request, std::move(context), std::move(incoming));
}

} // namespace lang_agent
