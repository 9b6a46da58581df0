#include "actors/running_turn.hpp"

#include "actors/ledger.hpp"
#include "http/answer_encoder.hpp"

namespace lang_agent {

order_ptr running_turn::order(const conversation_actor& customer, std::uint64_t prompt_tokens,
                              time_point now) {
  const auto& turn = request.first();
  auto x = std::make_shared<llm_order>(turn.id, customer, turn.requester);
  x->meter = turn.meter;
  x->prompt_tokens = prompt_tokens;
  x->request_id = turn.request_id;
  x->parameters = turn.parameters;
  x->route = turn.route;
  x->refusing = turn.refusing;
  x->share = turn.share;
  x->spent = spent;
  x->prompt = std::move(plan.shown.messages);
  x->context = plan.shown.size;
  stations.ordered = now;
  x->stations = stations;
  ordered = true;
  return x;
}

void running_turn::complete(order_completed x, time_point now) {
  ordered = false;
  result = std::move(x.result);
  origin = std::move(x.origin);
  if (origin)
    stations.asked = origin->stations.asked;
  stations.answered = stations.stored = now;
}

turn_record running_turn::record(const history& thread, const thread_key& key,
                                 std::chrono::milliseconds replay_window) {
  const auto& turn = request.first();
  const http::answer_encoder encoder{turn.answer_id, turn.created, turn.parameters.model, false};
  json = std::make_shared<const std::string>(encoder.whole(*result));
  auto out = thread.record(plan, key, result->message);
  out.at = unix_now();
  out.request = turn.request;
  out.idempotency_key = turn.idempotency_key;
  out.key_since = out.at - replay_window.count();
  out.max_threads = turn.storage.threads;
  out.max_stored_bytes = turn.storage.bytes;
  if (turn.in_flight)
    out.usage = turn.in_flight->row_of(result->usage);
  if (replay_window.count() > 0)
    out.answer = *json;
  return out;
}

} // namespace lang_agent
