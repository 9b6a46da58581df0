#include "http/message_codec.hpp"

#include "http/json.hpp"
#include "http/message_editing.hpp"

#include <xxhash.h>

#include <algorithm>
#include <array>

namespace lang_agent::http {

namespace {

using dom::find;
using dom::find_string;
using dom::text;
using dom::value;

constexpr std::array<std::pair<std::string_view, role>, 6> role_names{{
    {"system", role::system},
    {"developer", role::developer},
    {"user", role::user},
    {"assistant", role::assistant},
    {"tool", role::tool},
    {"function", role::function},
}};

/// Estimated tokens of a content part that is no text.
constexpr std::uint32_t media_tokens = 256;
/// Estimated tokens that a message costs beside its content.
constexpr std::uint32_t message_tokens = 4;

// -- meaning: digest and text ---------------------------------------------------------------------

/// A canonical spelling of what a message means, built piece by piece, then hashed.
class meaning {
public:
  /// Pieces carry their length, so that no two sequences of pieces read the same.
  void add(char tag, std::string_view piece) {
    spelling_ += tag;
    spelling_ += std::to_string(piece.size());
    spelling_ += ':';
    spelling_ += piece;
  }

  digest hash() const {
    const auto x = XXH3_128bits(spelling_.data(), spelling_.size());
    return {x.high64, x.low64};
  }

private:
  std::string spelling_;
};

bool is_text_part(const value& part) {
  const auto* type = part.IsObject() ? find_string(part, "type") : nullptr;
  return type && text(*type) == "text" && find_string(part, "text");
}

/// Any value: its members ordered by name, without nulls.
void add_value(meaning& out, const value& x) {
  if (x.IsArray()) {
    out.add('[', {});
    for (const auto& element : x.GetArray())
      add_value(out, element);
    out.add(']', {});
  } else if (x.IsObject()) {
    std::vector<const value::Member*> members;
    for (const auto& member : x.GetObject())
      if (!member.value.IsNull())
        members.push_back(&member);
    std::stable_sort(members.begin(), members.end(),
                     [](const auto* a, const auto* b) { return text(a->name) < text(b->name); });
    out.add('{', {});
    for (const auto* member : members) {
      out.add('k', text(member->name));
      add_value(out, member->value);
    }
    out.add('}', {});
  } else {
    out.add('v', dom::dump(x));
  }
}

/// Text in a row counts as one piece, however it is divided into parts.
void add_content(meaning& out, const value* content) {
  if (!content || !content->IsArray()) {
    if (const auto words = content_text(content); !words.empty())
      out.add('t', words);
    return;
  }
  std::string words;
  const auto add_words = [&] {
    if (!words.empty())
      out.add('t', words);
    words.clear();
  };
  for (const auto& part : content->GetArray()) {
    if (is_text_part(part)) {
      words += text(*find_string(part, "text"));
      continue;
    }
    add_words();
    add_value(out, part);
  }
  add_words();
}

void add_function(meaning& out, char tag, const value* function) {
  if (!function || !function->IsObject())
    return;
  for (const char* name : {"name", "arguments", "input"})
    if (const auto* x = find_string(*function, name))
      out.add(tag, text(*x));
}

void add_calls(meaning& out, const value& message) {
  if (const auto* calls = find(message, "tool_calls"); calls && calls->IsArray()) {
    for (const auto& call : calls->GetArray()) {
      if (!call.IsObject())
        continue;
      if (const auto* id = find_string(call, "id"))
        out.add('c', text(*id));
      add_function(out, 'f', find(call, "function"));
      add_function(out, 'u', find(call, "custom"));
    }
  }
  add_function(out, 'f', find(message, "function_call"));
}

digest digest_of(role who, const value& message) {
  meaning out;
  out.add('r', role_names[static_cast<std::size_t>(who)].first);
  add_content(out, find(message, "content"));
  add_calls(out, message);
  for (const char* name : {"refusal", "tool_call_id", "name"})
    if (const auto* x = find_string(message, name); x && x->GetStringLength() > 0)
      out.add(*name, text(*x));
  if (const auto* audio = find(message, "audio"); audio && audio->IsObject())
    if (const auto* id = find_string(*audio, "id"))
      out.add('a', text(*id));
  return out.hash();
}

std::uint32_t tokens_of(const value& message) {
  const auto* content = find(message, "content");
  std::uint32_t out = message_tokens + estimate_tokens(content_text(content));
  if (content && content->IsArray())
    for (const auto& part : content->GetArray())
      out += is_text_part(part) ? 0 : media_tokens;
  if (const auto* calls = find(message, "tool_calls"))
    out += estimate_tokens(dom::dump(*calls));
  return out;
}

/// The domain view of a message that is known to be well formed.
std::shared_ptr<chat_message> describe(role who, const value& x, std::string json) {
  auto out = std::make_shared<chat_message>();
  out->who = who;
  out->json = std::move(json);
  out->id = digest_of(who, x);
  out->tokens = tokens_of(x);
  if (who == role::tool)
    out->answers = text(*find_string(x, "tool_call_id"));
  if (who == role::assistant) {
    if (const auto* calls = find(x, "tool_calls"); calls && calls->IsArray())
      for (const auto& call : calls->GetArray())
        if (const auto* id = find_string(call, "id"))
          out->calls.emplace_back(text(*id));
    const auto* content = find(x, "content");
    const bool has_content =
        content && (content->IsArray() ? !content->Empty() : content->GetStringLength() > 0);
    out->empty = !has_content && out->calls.empty() && !find(x, "function_call")
                 && !find(x, "refusal") && !find(x, "audio");
  }
  return out;
}

// -- validation -----------------------------------------------------------------------------------

using problem = std::optional<failure>;

problem check_part(const value& part, const std::string& where) {
  if (!part.IsObject())
    return invalid_field(where, "a content part must be an object");
  const auto* type = find_string(part, "type");
  if (!type)
    return invalid_field(where + ".type", "it must be a string");
  const auto kind = text(*type);
  const auto needs_string = [&](const char* name) -> problem {
    if (!find_string(part, name))
      return invalid_field(where + "." + name, "it must be a string");
    return {};
  };
  const auto needs_object = [&](const char* name) -> problem {
    const auto* x = find(part, name);
    if (!x || !x->IsObject())
      return invalid_field(where + "." + name, "it must be an object");
    return {};
  };
  if (kind == "text")
    return needs_string("text");
  if (kind == "refusal")
    return needs_string("refusal");
  if (kind == "image_url") {
    if (auto wrong = needs_object("image_url"))
      return wrong;
    if (!find_string(*find(part, "image_url"), "url"))
      return invalid_field(where + ".image_url.url", "it must be a string");
  }
  if (kind == "input_audio")
    return needs_object("input_audio");
  if (kind == "file")
    return needs_object("file");
  return {}; // a kind of some upstream's own: passes as it is
}

problem check_content(role who, const value& message, const std::string& where) {
  const auto* content = find(message, "content");
  if (!content) {
    // Null, or not there: allowed where something else may stand in its place.
    if (who == role::assistant || who == role::function)
      return {};
    return invalid_field(where + ".content", "it must be a string or an array of parts");
  }
  if (content->IsString())
    return {};
  if (who == role::function)
    return invalid_field(where + ".content", "it must be a string");
  if (!content->IsArray())
    return invalid_field(where + ".content", "it must be a string or an array of parts");
  if (content->Empty())
    return invalid_field(where + ".content", "it must have at least one part");
  for (rapidjson::SizeType i = 0; i < content->Size(); ++i) {
    const auto part = where + ".content[" + std::to_string(i) + "]";
    if (auto wrong = check_part((*content)[i], part))
      return wrong;
    const bool text_only = who == role::system || who == role::developer || who == role::tool;
    if (text_only && !is_text_part((*content)[i]))
      return invalid_field(part + ".type", "this role takes text parts only");
  }
  return {};
}

problem check_calls(const value& message, const std::string& where) {
  const auto* calls = find(message, "tool_calls");
  if (!calls)
    return {};
  if (!calls->IsArray())
    return invalid_field(where + ".tool_calls", "it must be an array");
  for (rapidjson::SizeType i = 0; i < calls->Size(); ++i) {
    const auto& call = (*calls)[i];
    const auto path = where + ".tool_calls[" + std::to_string(i) + "]";
    if (!call.IsObject())
      return invalid_field(path, "it must be an object");
    if (!find_string(call, "id"))
      return invalid_field(path + ".id", "it must be a string");
    const auto* function = find(call, "function");
    const auto* custom = find(call, "custom");
    if (!(function && function->IsObject()) && !(custom && custom->IsObject()))
      return invalid_field(path + ".function", "it must be an object");
    if (function
        && (!function->IsObject() || !find_string(*function, "name")
            || !find_string(*function, "arguments")))
      return invalid_field(path + ".function", "it needs the strings 'name' and 'arguments'");
  }
  return {};
}

problem check_message(role who, const value& x, const std::string& where) {
  if (auto wrong = check_content(who, x, where))
    return wrong;
  if (const auto* name = find(x, "name"); name && !name->IsString())
    return invalid_field(where + ".name", "it must be a string");
  if (who == role::tool && !find_string(x, "tool_call_id"))
    return invalid_field(where + ".tool_call_id",
                         "a tool message must name the call that it answers");
  if (who == role::function && !find_string(x, "name"))
    return invalid_field(where + ".name", "a function message must name its function");
  if (who == role::assistant)
    return check_calls(x, where);
  return {};
}

} // namespace

std::variant<message_ptr, failure> decode_message(const value& x, std::string_view raw,
                                                  const std::string& where) {
  if (!x.IsObject())
    return invalid_field(where, "a message must be an object");
  const auto* name = find_string(x, "role");
  const auto known = std::find_if(role_names.begin(), role_names.end(), [&](const auto& entry) {
    return name && text(*name) == entry.first;
  });
  if (known == role_names.end())
    return invalid_field(where + ".role",
                         "it must be one of developer, system, user, assistant, tool, function");
  if (auto wrong = check_message(known->second, x, where))
    return *wrong;
  return message_ptr{describe(known->second, x, std::string{raw})};
}

message_ptr history_entry(const value& message) {
  std::string json = R"({"role":"assistant","content":)";
  const auto* content = find(message, "content");
  if (content && content->IsString())
    append_json_string(json, text(*content));
  else
    json += content ? dom::dump(*content) : "null";
  for (const char* name : {"refusal", "tool_calls", "function_call"}) {
    if (const auto* x = find(message, name))
      json.append(",\"").append(name).append("\":").append(dom::dump(*x));
  }
  // Of an audio answer only the id goes back.
  if (const auto* audio = find(message, "audio"); audio && audio->IsObject())
    if (const auto* id = find_string(*audio, "id"))
      json += R"(,"audio":{"id":)" + dom::dump(*id) + "}";
  json += '}';
  auto out = describe(role::assistant, message, std::move(json));
  if (const auto* reasoning = find_string(message, "reasoning_content"))
    append_json_string(out->reasoning, text(*reasoning));
  return out;
}

message_ptr with_calls(const chat_message& message, const std::unordered_set<std::string>& kept) {
  rapidjson::Document document;
  document.Parse(message.json.data(), message.json.size());
  value calls{rapidjson::kArrayType};
  for (auto& call : document["tool_calls"].GetArray())
    if (const auto* id = find_string(call, "id"); id && kept.contains(std::string{text(*id)}))
      calls.PushBack(call.Move(), document.GetAllocator());
  if (calls.Empty())
    document.RemoveMember("tool_calls");
  else
    document["tool_calls"] = calls.Move();
  auto out = describe(role::assistant, document, dom::dump(document));
  out->reasoning = message.reasoning;
  return out->empty ? nullptr : message_ptr{out};
}

std::string content_text(const value* content) {
  std::string out;
  if (!content)
    return out;
  if (content->IsString())
    return std::string{text(*content)};
  if (content->IsArray())
    for (const auto& part : content->GetArray())
      if (is_text_part(part))
        out += text(*find_string(part, "text"));
  return out;
}

std::string text_of(const chat_message& message) {
  const dom::known_document document{message.json};
  const auto& root = document.root();
  return root.IsObject() ? content_text(find(root, "content")) : std::string{};
}

} // namespace lang_agent::http
