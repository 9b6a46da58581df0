#include "http/upstream_codec.hpp"

#include "http/answer_shape.hpp"
#include "http/dom.hpp"
#include "http/json.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

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

  /// Of its error object; a number only where it may be a status. Empty when it is not there.
  std::string member(const char* name) const {
    const auto* x = error_ && error_->IsObject() ? find(*error_, name) : nullptr;
    const std::string_view wanted{name};
    if (x && x->IsInt() && (wanted == "code" || wanted == "status"))
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
  if (status == 429)
    return error_kind::upstream_rate_limited;
  // Too early, or a token that is no longer valid: no matter of the request.
  if (status == 425 || status == 498)
    return error_kind::upstream_error;
  return status >= 400 && status <= 499 ? error_kind::upstream_rejected
                                        : error_kind::upstream_error;
}

/// What an error would be as an answer of its own; 0 when it does not say.
int status_inside(const error_body& said) {
  for (const char* name : {"code", "status"}) {
    const auto text = said.member(name);
    int status = 0;
    const auto* end = text.data() + text.size();
    if (std::from_chars(text.data(), end, status).ptr == end && status >= 400 && status <= 599)
      return status;
  }
  const auto is = [&](std::string_view word) {
    return said.member("code") == word || said.member("type") == word;
  };
  if (is("rate_limit_exceeded") || is("insufficient_quota"))
    return 429;
  if (is("context_length_exceeded") || is("exceed_context_size_error")
      || is("invalid_request_error"))
    return 400;
  return 0;
}

/// Refusals that are no matter of the request but of who runs this server.
std::optional<failure> trouble_of_operator(int status, const error_body& said) {
  if (status == 407)
    return failure{error_kind::upstream_unreachable,
                   "The upstream model cannot be reached: its proxy refused the server's "
                   "credentials. The operator of this server has to check them."};
  if (status == 401 || status == 402)
    return failure{error_kind::upstream_auth_failed,
                   "The upstream model refused the server's credentials. The operator of this "
                   "server has to check the upstream's API key and account."};
  if (status == 429
      && (said.member("code") == "insufficient_quota"
          || said.member("type") == "insufficient_quota"))
    return failure{error_kind::upstream_auth_failed,
                   "The upstream model's quota is used up. The operator of this server has to look "
                   "at the upstream's account."};
  return std::nullopt;
}

failure forbidden(const std::string& message) {
  return {error_kind::upstream_forbidden,
          message.empty() ? "The upstream model refused this request (HTTP 403)."
                          : "The upstream model refused this request: " + message};
}

failure meaning_of(int status, const error_body& said, std::string_view retry_after,
                   const redaction& redact) {
  if (status == 408 || status == 504)
    return {error_kind::upstream_timeout, "The upstream model timed out. Please retry."};
  if (auto out = trouble_of_operator(status, said))
    return std::move(*out);
  const auto message = redact(said.message());
  if (status == 403) {
    if (said.member("code") != "model_not_found")
      return forbidden(message);
    status = 404;
  }
  const auto kind = kind_of(status);
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
  out.status = status;
  out.param = redact(said.member("param"));
  out.code = redact(said.member("code"));
  out.type = redact(said.member("type"));
  if (out.type.empty() && kind == error_kind::upstream_rate_limited)
    out.type = contract_of(kind).type;
  if (kind == error_kind::upstream_rejected && is_context_too_long(out)) {
    out.kind = error_kind::context_too_long;
    out.code = "context_length_exceeded";
  }
  return out;
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
  return meaning_of(status, error_body{body}, retry_after, redact);
}

failure decode_error_inside(std::string_view body, const redaction& redact) {
  const error_body said{body};
  const int status = status_inside(said);
  return meaning_of(status ? status : 500, said, {}, redact);
}

std::variant<answer, failure> decode_answer(std::string_view body, std::uint64_t prompt_tokens,
                                            const redaction& redact) {
  dom::spanned_document document;
  if (document.parse(body, max_upstream_depth) != dom::spanned_document::outcome::ok)
    return broken("it is no JSON object");
  if (has_error(document))
    return decode_error_inside(body, redact);
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
