#include "actors/turn_failures.hpp"

namespace lang_agent {

namespace {

failure retry_soon(error_kind kind, const char* message) {
  failure out{kind, message};
  out.retry_after = "1";
  return out;
}

} // namespace

failure thread_busy() {
  return {error_kind::thread_busy,
          "This thread is busy with another turn. Retry when that one has ended."};
}

failure thread_queue_full() {
  return retry_soon(error_kind::thread_queue_full, "Too many turns are waiting for this thread.");
}

failure waited_too_long() {
  return retry_soon(error_kind::queue_timeout, "The turn waited too long for its thread.");
}

failure server_stops() {
  return retry_soon(error_kind::shutting_down, "The server is shutting down. Please retry.");
}

failure key_conflict() {
  return {error_kind::idempotency_key_conflict,
          "The Idempotency-Key was used for another request. Use a new key for each request, and "
          "the same one only for retries of it."};
}

failure thread_deleted() {
  return {error_kind::thread_changed,
          "The thread was deleted while this turn was waiting for it or running."};
}

failure client_left() {
  return {error_kind::client_gone, "The client left."};
}

failure stray_tool_answer(const std::string& id) {
  return {error_kind::invalid_request,
          "Invalid value for 'messages': the tool message with tool_call_id '" + id
              + "' does not follow an assistant message with that tool call, neither in the "
                "request nor in the thread.",
          "messages"};
}

} // namespace lang_agent
