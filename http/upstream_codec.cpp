#include "http/upstream_codec.hpp"

#include "http/answer_shape.hpp"
#include "http/dom.hpp"
#include "http/json.hpp"

#include <algorithm>

namespace lang_agent::http {

using dom::find;
using dom::find_string;
using dom::text;

namespace {

/// Servers differ in how they say that a prompt is too long: OpenAI and its likes by code,
/// llama.cpp by type, vLLM and others in words only.
bool is_context_too_long(const failure& x) {
  if (x.code == "context_length_exceeded" || x.type == "exceed_context_size_error")
    return true;
  return x.message.find("maximum context length") != std::string::npos
         || x.message.find("context length exceeded") != std::string::npos;
}

void append_stream(std::string& out, const chat_parameters& x) {
  out += R"(,"stream":true)";
  std::string options = x.ask_usage ? R"(,"include_usage":true)" : "";
  options += x.stream_options;
  if (options.empty())
    return;
  options.front() = '{'; // instead of the comma
  append_member(out, "stream_options", options + "}");
}

/// The body of an error answer, in whatever shape it comes.
class error_body {
public:
  explicit error_body(std::string_view body)
      : parsed_(document_.parse(body, max_upstream_depth) == dom::spanned_document::outcome::ok),
        error_(parsed_ ? member_of(document_, "error") : nullptr) {}

  /// Of its error object; a number only for the code. Empty when it is not there.
  std::string member(const char* name) const {
    const auto* x = error_ && error_->IsObject() ? find(*error_, name) : nullptr;
    if (x && x->IsInt() && std::string_view{name} == "code")
      return std::to_string(x->GetInt());
    return x && x->IsString() ? std::string{text(*x)} : std::string{};
  }

  std::string message() const {
    auto out = error_ && error_->IsString() ? std::string{text(*error_)} : member("message");
    // Some servers have no "error" around it: {"message":...}, or FastAPI's {"detail":...}.
    for (const char* name : {"message", "detail"})
      if (const auto* x = parsed_ && out.empty() ? member_of(document_, name) : nullptr)
        out = x->IsString() ? std::string{text(*x)} : dom::dump(*x);
    return out;
  }

private:
  dom::spanned_document document_;
  bool parsed_;
  const dom::value* error_;
};

error_kind kind_of(int status) {
  switch (status) {
  case 400:
  case 404:
  case 409:
  case 413:
  case 422:
    return error_kind::upstream_rejected;
  case 429:
    return error_kind::upstream_rate_limited;
  default:
    return error_kind::upstream_error;
  }
}

} // namespace

std::string encode_upstream_request(const chat_parameters& parameters, const message_list& prompt,
                                    const std::string& model, bool replay_reasoning) {
  std::size_t size = 256 + parameters.forwarded.size() + parameters.stream_options.size();
  for (const auto& message : prompt)
    size += message->json.size() + 1 + (replay_reasoning ? message->reasoning.size() + 24 : 0);
  std::string out;
  out.reserve(size);
  out += R"({"model":)";
  append_json_string(out, model.empty() ? parameters.model : model);
  out += R"(,"messages":[)";
  bool first = true;
  for (const auto& message : prompt) {
    if (!first)
      out += ',';
    first = false;
    out += message->json;
    if (replay_reasoning && !message->reasoning.empty()) {
      out.pop_back(); // the closing brace
      append_member(out, "reasoning_content", message->reasoning);
      out += '}';
    }
  }
  out += ']';
  out += parameters.forwarded;
  if (parameters.stream)
    append_stream(out, parameters);
  out += '}';
  return out;
}

failure decode_upstream_error(int status, std::string_view body, std::string_view retry_after,
                              const redaction& redact) {
  if (status == 408 || status == 504)
    return {error_kind::upstream_timeout, "The upstream model timed out. Please retry."};
  const error_body said{body};
  const bool no_such_model = status == 403 && said.member("code") == "model_not_found";
  if (!no_such_model && (status == 401 || status == 402 || status == 403 || status == 407))
    return {error_kind::upstream_auth_failed,
            "The upstream model refused the server's credentials. The operator of this server has "
            "to check the upstream's API key and account."};
  const auto message = redact(said.message());
  const auto kind = kind_of(no_such_model ? 404 : status);
  failure out{kind, message};
  out.retry_after = retry_after;
  if (kind == error_kind::upstream_error) {
    out.message = message.empty()
                      ? "The upstream model failed (HTTP " + std::to_string(status) + ")."
                      : "The upstream model failed: " + message;
    return out;
  }
  if (message.empty())
    out.message = "The upstream model refused the request (HTTP " + std::to_string(status) + ").";
  out.status = no_such_model ? 404 : status;
  out.param = redact(said.member("param"));
  out.code = redact(said.member("code"));
  out.type = said.member("type");
  if (out.type.empty() && kind == error_kind::upstream_rate_limited)
    out.type = contract_of(kind).type;
  if (kind == error_kind::upstream_rejected && is_context_too_long(out)) {
    out.kind = error_kind::context_too_long;
    out.code = "context_length_exceeded";
  }
  return out;
}

std::variant<answer, failure> decode_answer(std::string_view body, std::uint64_t prompt_tokens,
                                            const redaction& redact) {
  dom::spanned_document document;
  if (document.parse(body, max_upstream_depth) != dom::spanned_document::outcome::ok)
    return broken("it is no JSON object");
  if (has_error(document))
    return decode_upstream_error(500, body, {}, redact);
  const auto* choices = member_of(document, "choices");
  if (!choices || !choices->IsArray() || choices->Empty())
    return broken("it has no choices");
  answer out;
  for (const auto& x : choices->GetArray()) {
    const auto* message = x.IsObject() ? find(x, "message") : nullptr;
    if (!message || !message->IsObject())
      return broken("a choice has no message");
    const auto* reason = find_string(x, "finish_reason");
    auto& choice = out.choices.emplace_back();
    choice.index = index_of(x, static_cast<std::uint32_t>(out.choices.size() - 1));
    choice.message = shaped_message(*message);
    const auto* calls = find(*message, "tool_calls");
    const bool has_calls = calls && calls->IsArray() && !calls->Empty();
    choice.finish_reason = shaped_finish_reason(reason      ? text(*reason)
                                                : has_calls ? "tool_calls"
                                                            : "stop");
    choice.logprobs = logprobs_of(x);
  }
  std::sort(out.choices.begin(), out.choices.end(),
            [](const auto& a, const auto& b) { return a.index < b.index; });
  out.members = redact(foreign_members(document));
  out.usage = read_usage(member_of(document, "usage"));
  complete_answer(out, prompt_tokens);
  return out;
}

} // namespace lang_agent::http
