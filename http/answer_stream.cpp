#include "http/answer_stream.hpp"

#include "http/answer_shape.hpp"
#include "http/dom.hpp"
#include "http/json.hpp"
#include "http/message_codec.hpp"
#include "http/upstream_codec.hpp"

#include <algorithm>

namespace lang_agent::http {

using dom::find;
using dom::find_string;
using dom::text;
using dom::value;

namespace {

/// Tool calls of one choice; more are no answer but an attack or a loop.
constexpr std::size_t max_calls = 1024;

/// The members of a tool call that OpenAI knows; others go along, e.g. Gemini's `extra_content`.
bool is_call_member(std::string_view name) {
  return name == "index" || name == "id" || name == "type" || name == "function"
         || name == "custom";
}

/// An empty list or object, as streams open with: it tells a client nothing.
bool is_hollow(const value& x) {
  return (x.IsArray() && x.Empty()) || (x.IsObject() && x.ObjectEmpty());
}

/// The token probabilities of all deltas of a choice, put together.
class probabilities {
public:
  void add(const value* logprobs) {
    if (!logprobs || !logprobs->IsObject())
      return;
    append(content_, find(*logprobs, "content"));
    append(refusal_, find(*logprobs, "refusal"));
  }

  /// As of a plain answer; empty when there were none.
  std::string json() const {
    if (content_.empty() && refusal_.empty())
      return {};
    return "{\"content\":" + array(content_) + ",\"refusal\":" + array(refusal_) + "}";
  }

private:
  static void append(std::string& out, const value* list) {
    if (list && list->IsArray())
      for (const auto& x : list->GetArray())
        out += "," + dom::dump(x);
  }

  static std::string array(const std::string& elements) {
    return elements.empty() ? "null" : "[" + elements.substr(1) + "]";
  }

  std::string content_; ///< each element after a comma
  std::string refusal_;
};

} // namespace

/// What came of one choice so far.
struct answer_stream::choice {
  struct call {
    std::string id;
    std::string type = "function";
    std::string name;
    std::string arguments;
    std::map<std::string, std::string> values; ///< members of an upstream's own, as JSON
  };

  std::string content;
  bool has_content = false;
  std::map<std::string, std::string> texts;  ///< other text members, appended: refusal, reasoning
  std::map<std::string, std::string> values; ///< other members as JSON, the last one wins
  std::map<std::uint32_t, call> calls;
  std::string function_name; ///< deprecated function_call
  std::string function_arguments;
  std::string finish_reason;
  probabilities logprobs;

  /// Takes a delta's tool calls in; returns them strictly shaped.
  std::string add_calls(const value& list);
  void add_call(const value& x, std::uint32_t index, const std::string& arguments);
  void add_function(const value& x);
  std::string message() const;
};

void answer_stream::choice::add_call(const value& x, std::uint32_t index,
                                     const std::string& arguments) {
  auto& entry = calls[index];
  if (const auto* id = find_string(x, "id"); id && entry.id.empty())
    entry.id = text(*id);
  if (const auto* type = find_string(x, "type"))
    entry.type = text(*type);
  const char* kind = find(x, "custom") ? "custom" : "function";
  if (const auto* body = find(x, kind); body && body->IsObject())
    if (const auto* name = find_string(*body, "name"))
      entry.name += text(*name);
  entry.arguments += arguments;
  for (const auto& member : x.GetObject())
    if (!is_call_member(text(member.name)) && !member.value.IsNull())
      entry.values[std::string{text(member.name)}] = dom::dump(member.value);
}

std::string answer_stream::choice::add_calls(const value& list) {
  std::string out;
  for (const auto& x : list.GetArray()) {
    if (!x.IsObject())
      continue;
    // An upstream that leaves the index out starts a new call with each new id.
    // Others repeat the id, or leave it empty: clients append what is given twice.
    const auto* id = find_string(x, "id");
    if (id && id->GetStringLength() == 0)
      id = nullptr;
    const auto last = calls.empty() ? 0 : calls.rbegin()->first;
    const bool starts = id && !calls.empty() && calls[last].id != text(*id);
    const auto index = index_of(x, starts ? last + 1 : last);
    const bool is_new_id = id && calls[index].id.empty();
    const auto* function = find(x, "function");
    const auto* custom = find(x, "custom");
    const auto arguments = function && function->IsObject() ? arguments_of(*function)
                           : custom && custom->IsObject() && find_string(*custom, "input")
                               ? std::string{text(*find_string(*custom, "input"))}
                               : std::string{};
    add_call(x, index, arguments);
    out += out.empty() ? "[" : ",";
    out += R"({"index":)" + std::to_string(index);
    for (const auto& member : x.GetObject()) {
      const auto name = text(member.name);
      if (name == "index" || (name == "id" && !is_new_id) || member.value.IsNull())
        continue;
      if (name != "function" || !member.value.IsObject()) {
        append_member(out, name, dom::dump(member.value));
        continue;
      }
      out += R"(,"function":{)";
      if (const auto* called = find_string(member.value, "name");
          called && called->GetStringLength() > 0)
        out += R"("name":)" + dom::dump(*called) + ",";
      out += R"("arguments":)";
      append_json_string(out, arguments);
      out += '}';
    }
    out += '}';
  }
  return out.empty() ? out : out + "]";
}

void answer_stream::choice::add_function(const value& x) {
  if (!x.IsObject())
    return;
  if (const auto* name = find_string(x, "name"))
    function_name += text(*name);
  function_arguments += arguments_of(x);
}

std::string answer_stream::choice::message() const {
  std::string out = R"({"role":"assistant","content":)";
  if (has_content)
    append_json_string(out, content);
  else
    out += "null";
  const auto refusal = texts.find("refusal");
  out += R"(,"refusal":)";
  if (refusal != texts.end())
    append_json_string(out, refusal->second);
  else
    out += "null";
  for (const auto& [name, words] : texts) {
    if (name == "refusal")
      continue;
    std::string json;
    append_json_string(json, words);
    append_member(out, name, json);
  }
  for (const auto& [name, json] : values)
    append_member(out, name, json);
  if (!function_name.empty())
    append_member(out, "function_call", function_json(function_name, function_arguments));
  if (calls.empty())
    return out + "}";
  out += R"(,"tool_calls":[)";
  bool first = true;
  for (const auto& [index, x] : calls) {
    out += first ? R"({"id":)" : R"(,{"id":)";
    first = false;
    append_json_string(out, x.id);
    out += R"(,"type":)";
    append_json_string(out, x.type);
    if (x.type == "custom") {
      out += R"(,"custom":{"name":)";
      append_json_string(out, x.name);
      out += R"(,"input":)";
      append_json_string(out, x.arguments);
      out += '}';
    } else {
      out += R"(,"function":)" + function_json(x.name, x.arguments);
    }
    for (const auto& [name, json] : x.values)
      append_member(out, name, json);
    out += '}';
  }
  return out + "]}";
}

answer_stream::answer_stream(std::size_t max_bytes, std::uint64_t prompt_tokens,
                             std::uint32_t choices, redaction redact)
    : max_bytes_(max_bytes),
      prompt_tokens_(prompt_tokens),
      wanted_(choices),
      redact_(std::move(redact)) {}

answer_stream::~answer_stream() = default;

std::optional<failure> answer_stream::grow(std::size_t bytes) {
  bytes_ += bytes;
  if (bytes_ <= max_bytes_)
    return std::nullopt;
  return failure{error_kind::upstream_answer_too_long, "The upstream model's answer is longer than "
                                                           + std::to_string(max_bytes_)
                                                           + " bytes."};
}

std::optional<failure> answer_stream::add(std::string_view data, std::vector<choice_delta>& out) {
  if (data.substr(0, 6) == "[DONE]") {
    done_ = true;
    return std::nullopt;
  }
  if (auto why = grow(data.size()))
    return why;
  dom::spanned_document document;
  if (document.parse(data, max_upstream_depth) != dom::spanned_document::outcome::ok)
    return broken("an event of its stream is no JSON object");
  if (has_error(document))
    return decode_error_inside(data, redact_);
  if (auto usage = read_usage(member_of(document, "usage")); !usage.json.empty())
    usage_ = std::move(usage);
  const auto* list = member_of(document, "choices");
  if (!list || !list->IsArray())
    return std::nullopt;
  members_ = redact_(foreign_members(document));
  for (const auto& x : list->GetArray()) {
    if (!x.IsObject())
      return broken("a choice of its stream is no object");
    choice_delta piece;
    piece.index = index_of(x, 0);
    if (piece.index >= wanted_)
      return broken("its stream has a choice that was not asked for");
    auto& so_far = choices_[piece.index];
    if (const auto* delta = find(x, "delta"); delta && delta->IsObject()) {
      for (const auto& member : delta->GetObject()) {
        const auto name = text(member.name);
        const auto& y = member.value;
        if (name == "role" || y.IsNull())
          continue;
        if (name == "content" && (y.IsString() || y.IsArray())) {
          piece.content = content_text(&y);
          so_far.content += piece.content;
          so_far.has_content = true;
        } else if (name == "content") {
          continue;
        } else if (name == "tool_calls") {
          if (!y.IsArray())
            continue;
          if (so_far.calls.size() > max_calls)
            return broken("it has too many tool calls");
          if (auto calls = so_far.add_calls(y); !calls.empty())
            append_member(piece.members, name, calls);
        } else if (name == "function_call") {
          so_far.add_function(y);
          append_member(piece.members, name, dom::dump(y));
        } else if (name == "refusal" && !y.IsString()) {
          continue;
        } else if (y.IsString()) {
          if (y.GetStringLength() == 0)
            continue;
          so_far.texts[std::string{name}] += text(y);
          append_member(piece.members, name, dom::dump(y));
        } else {
          so_far.values[std::string{name}] = dom::dump(y);
          if (!is_hollow(y))
            append_member(piece.members, name, so_far.values[std::string{name}]);
        }
      }
    }
    piece.logprobs = logprobs_of(x);
    so_far.logprobs.add(find(x, "logprobs"));
    if (const auto* reason = find_string(x, "finish_reason"); reason && reason->GetStringLength()) {
      finished_ += so_far.finish_reason.empty();
      so_far.finish_reason = shaped_finish_reason(text(*reason));
    }
    if (!piece.content.empty() || !piece.members.empty() || !piece.logprobs.empty()) {
      piece.chunk_members = members_;
      out.push_back(std::move(piece));
    }
  }
  return std::nullopt;
}

std::optional<failure> answer_stream::add_whole(std::string_view body,
                                                std::vector<choice_delta>& out) {
  auto decoded = decode_answer(body, prompt_tokens_, redact_);
  if (auto* why = std::get_if<failure>(&decoded))
    return std::move(*why);
  // As one event that carries everything, spelled the way a stream would.
  std::string event = "{\"choices\":[";
  auto& whole = std::get<answer>(decoded);
  wanted_ = std::max(wanted_, whole.choices.back().index + 1);
  for (const auto& x : whole.choices) {
    if (event.back() == '}')
      event += ',';
    event += "{\"index\":" + std::to_string(x.index) + ",\"delta\":" + x.message
             + ",\"finish_reason\":\"" + x.finish_reason
             + "\",\"logprobs\":" + (x.logprobs.empty() ? "null" : x.logprobs) + "}";
  }
  event += "],\"usage\":" + whole.usage.json + whole.members + "}";
  done_ = true;
  auto why = add(event, out);
  usage_.estimated = whole.usage.estimated;
  return why;
}

bool answer_stream::complete() const {
  if (choices_.empty())
    return false;
  return done_ || finished_ >= wanted_;
}

answer answer_stream::finish() {
  answer out;
  for (const auto& [index, x] : choices_) {
    auto& done = out.choices.emplace_back();
    done.index = index;
    done.message = x.message();
    done.logprobs = x.logprobs.json();
    done.finish_reason = !x.finish_reason.empty() ? x.finish_reason
                         : x.calls.empty()        ? "stop"
                                                  : "tool_calls";
  }
  out.members = std::move(members_);
  out.usage = std::move(usage_);
  complete_answer(out, prompt_tokens_);
  return out;
}

} // namespace lang_agent::http
