#include "http/answer_shape.hpp"

#include "http/json.hpp"
#include "http/message_codec.hpp"

#include <algorithm>
#include <array>

namespace lang_agent::http {

using dom::find;
using dom::find_string;
using dom::text;
using dom::value;

failure broken(std::string_view what) {
  return {error_kind::upstream_error,
          "The upstream model sent an answer that cannot be understood: " + std::string{what}
              + "."};
}

namespace {

std::uint64_t count(const value& usage, const char* name) {
  const auto* x = find(usage, name);
  return x && x->IsUint64() ? x->GetUint64() : 0;
}

} // namespace

token_usage make_usage(std::uint64_t prompt, std::uint64_t completion, bool estimated) {
  return {prompt, completion,
          R"({"prompt_tokens":)" + std::to_string(prompt) + R"(,"completion_tokens":)"
              + std::to_string(completion) + R"(,"total_tokens":)"
              + std::to_string(prompt + completion) + "}",
          estimated};
}

token_usage read_usage(const value* usage) {
  if (!usage || !usage->IsObject() || !find(*usage, "prompt_tokens"))
    return {};
  auto out = make_usage(count(*usage, "prompt_tokens"), count(*usage, "completion_tokens"), false);
  // The upstream's own object has the details; ours has all three counts.
  if (find(*usage, "completion_tokens") && find(*usage, "total_tokens"))
    out.json = dom::dump(*usage);
  return out;
}

std::string shaped_finish_reason(std::string_view reason) {
  static constexpr std::array<std::string_view, 5> known{"stop", "length", "tool_calls",
                                                         "content_filter", "function_call"};
  if (std::find(known.begin(), known.end(), reason) != known.end())
    return std::string{reason};
  return reason == "max_tokens" ? "length" : "stop";
}

namespace {

/// Top-level members that are ours to set; all others of an answer pass on.
bool is_envelope(std::string_view name) {
  static constexpr std::array<std::string_view, 6> ours{"id",    "object",  "created",
                                                        "model", "choices", "usage"};
  return std::find(ours.begin(), ours.end(), name) != ours.end();
}

} // namespace

void append_member(std::string& out, std::string_view name, std::string_view json) {
  out += ',';
  append_json_string(out, name);
  out += ':';
  out += json;
}

std::string foreign_members(const dom::spanned_document& document) {
  std::string out;
  for (const auto& member : document.members())
    if (!is_envelope(text(*member.name)))
      append_member(out, text(*member.name), member.raw);
  return out;
}

const value* member_of(const dom::spanned_document& document, std::string_view name) {
  for (const auto& member : document.members())
    if (text(*member.name) == name && !member.content->IsNull())
      return member.content;
  return nullptr;
}

std::string arguments_of(const value& function) {
  const auto* x = find(function, "arguments");
  if (!x)
    return {};
  return x->IsString() ? std::string{text(*x)} : dom::dump(*x);
}

std::string function_json(std::string_view name, std::string_view arguments) {
  std::string out = R"({"name":)";
  append_json_string(out, name);
  out += R"(,"arguments":)";
  append_json_string(out, arguments);
  return out + "}";
}

namespace {

/// Tool calls, strictly shaped; empty when there are none.
std::string shaped_calls(const value& list) {
  if (!list.IsArray())
    return {};
  std::string out;
  for (const auto& call : list.GetArray()) {
    if (!call.IsObject())
      continue;
    const auto* id = find_string(call, "id");
    const auto* type = find_string(call, "type");
    out += out.empty() ? R"([{"id":)" : R"(,{"id":)";
    append_json_string(out, id ? text(*id) : std::string_view{});
    out += R"(,"type":)";
    append_json_string(out, type ? text(*type) : "function");
    for (const auto& member : call.GetObject()) {
      const auto name = text(member.name);
      if (name == "id" || name == "type" || name == "index" || member.value.IsNull())
        continue;
      if (name == "function" && member.value.IsObject()) {
        const auto* called = find_string(member.value, "name");
        append_member(
            out, name,
            function_json(called ? text(*called) : std::string_view{}, arguments_of(member.value)));
      } else {
        append_member(out, name, dom::dump(member.value));
      }
    }
    out += '}';
  }
  return out.empty() ? out : out + "]";
}

} // namespace

bool has_error(const dom::spanned_document& document) {
  const auto* x = member_of(document, "error");
  return x && ((x->IsString() && x->GetStringLength() > 0) || (x->IsObject() && !x->ObjectEmpty()));
}

std::string shaped_message(const value& message) {
  std::string out = R"({"role":"assistant","content":)";
  const auto* content = find(message, "content");
  const bool usable = content && (content->IsString() || content->IsArray());
  if (usable)
    append_json_string(out, content_text(content));
  else
    out += "null";
  const auto* refusal = find_string(message, "refusal");
  out += R"(,"refusal":)";
  out += refusal ? dom::dump(*refusal) : "null";
  for (const auto& member : message.GetObject()) {
    const auto name = text(member.name);
    if (name == "role" || name == "content" || name == "refusal" || member.value.IsNull())
      continue;
    if (name != "tool_calls")
      append_member(out, name, dom::dump(member.value));
    else if (const auto calls = shaped_calls(member.value); !calls.empty())
      append_member(out, name, calls);
  }
  return out + "}";
}

message_ptr parse_history_entry(const std::string& message) {
  return history_entry(dom::known_document{message}.root());
}

void complete_answer(answer& x, std::uint64_t prompt_tokens) {
  x.message = parse_history_entry(x.choices.front().message);
  if (!x.usage.json.empty())
    return;
  std::uint64_t tokens = x.message->tokens;
  for (std::size_t i = 1; i < x.choices.size(); ++i)
    tokens += parse_history_entry(x.choices[i].message)->tokens;
  x.usage = make_usage(prompt_tokens, tokens, true);
}

std::string logprobs_of(const value& choice) {
  const auto* x = find(choice, "logprobs");
  return x ? dom::dump(*x) : std::string{};
}

std::uint32_t index_of(const value& object, std::uint32_t fallback) {
  const auto* x = find(object, "index");
  return x && x->IsUint() ? x->GetUint() : fallback;
}

} // namespace lang_agent::http
