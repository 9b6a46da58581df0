#include "http/parameter_rules.hpp"

#include "http/json.hpp"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <unordered_map>

namespace lang_agent::http {

namespace {

using dom::find;
using dom::find_string;
using dom::text;
using dom::value;

/// What is wrong with a value: where inside the parameter, and why. Empty `why`: nothing.
struct verdict {
  std::string path = {};
  std::string why = {};
};

using rule = verdict (*)(const value&);
using words = std::initializer_list<std::string_view>;

verdict right() {
  return {};
}

verdict wrong(std::string why, std::string path = {}) {
  return {std::move(path), std::move(why)};
}

verdict number_in(const value& x, double min, double max) {
  if (!x.IsNumber())
    return wrong("it must be a number");
  if (x.GetDouble() < min || x.GetDouble() > max)
    return wrong("it must be between " + std::to_string(static_cast<int>(min)) + " and "
                 + std::to_string(static_cast<int>(max)));
  return right();
}

verdict integer_in(const value& x, std::int64_t min, std::int64_t max) {
  if (!x.IsInt64())
    return wrong("it must be an integer");
  if (x.GetInt64() < min || x.GetInt64() > max)
    return wrong("it must be between " + std::to_string(min) + " and " + std::to_string(max));
  return right();
}

verdict word_of(const value& x, words allowed) {
  if (x.IsString() && std::find(allowed.begin(), allowed.end(), text(x)) != allowed.end())
    return right();
  std::string list;
  for (const auto word : allowed)
    list += (list.empty() ? "'" : ", '") + std::string{word} + "'";
  return wrong("it must be one of " + list);
}

/// Characters, not bytes.
std::size_t length(const value& x) {
  const auto s = text(x);
  return static_cast<std::size_t>(
      std::count_if(s.begin(), s.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

verdict string_up_to(const value& x, std::size_t max) {
  if (!x.IsString())
    return wrong("it must be a string");
  if (length(x) > max)
    return wrong("it must have at most " + std::to_string(max) + " characters");
  return right();
}

verdict any_string(const value& x) {
  return x.IsString() ? right() : wrong("it must be a string");
}

verdict any_flag(const value& x) {
  return x.IsBool() ? right() : wrong("it must be true or false");
}

verdict any_object(const value& x) {
  return x.IsObject() ? right() : wrong("it must be an object");
}

verdict any_array(const value& x) {
  return x.IsArray() ? right() : wrong("it must be an array");
}

bool is_identifier(const value& x, std::size_t max) {
  const auto s = text(x);
  return !s.empty() && s.size() <= max && std::all_of(s.begin(), s.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '-';
  });
}

verdict at_least_one(const value& x) {
  return integer_in(x, 1, INT64_MAX);
}

verdict penalty(const value& x) {
  return number_in(x, -2, 2);
}

verdict stop(const value& x) {
  if (x.IsString())
    return right();
  if (!x.IsArray() || x.Empty() || x.Size() > 4
      || !std::all_of(x.Begin(), x.End(), [](const value& y) { return y.IsString(); }))
    return wrong("it must be a string or an array of 1 to 4 strings");
  return right();
}

verdict stream_options(const value& x) {
  if (!x.IsObject())
    return any_object(x);
  for (const char* name : {"include_usage", "include_obfuscation"})
    if (const auto* flag = find(x, name); flag && !flag->IsBool())
      return wrong("it must be true or false", std::string{"."} + name);
  return right();
}

verdict logit_bias(const value& x) {
  if (!x.IsObject())
    return any_object(x);
  for (const auto& entry : x.GetObject())
    if (auto v = number_in(entry.value, -100, 100); !v.why.empty())
      return wrong(v.why, "." + std::string{text(entry.name)});
  return right();
}

verdict response_format(const value& x) {
  if (!x.IsObject())
    return any_object(x);
  const auto* type = find_string(x, "type");
  if (!type)
    return wrong("it must be a string", ".type");
  if (auto v = word_of(*type, {"text", "json_object", "json_schema"}); !v.why.empty())
    return wrong(v.why, ".type");
  if (text(*type) != "json_schema")
    return right();
  const auto* schema = find(x, "json_schema");
  if (!schema || !schema->IsObject())
    return wrong("it must be an object", ".json_schema");
  const auto* name = find_string(*schema, "name");
  if (!name || !is_identifier(*name, 64))
    return wrong("it must be 1 to 64 of A-Z, a-z, 0-9, _ and -", ".json_schema.name");
  if (const auto* y = find(*schema, "schema"); y && !y->IsObject())
    return wrong("it must be an object", ".json_schema.schema");
  if (const auto* y = find(*schema, "strict"); y && !y->IsBool())
    return wrong("it must be true or false", ".json_schema.strict");
  return right();
}

verdict named_object(const value& x, const char* member, const std::string& path) {
  const auto* object = find(x, member);
  if (!object || !object->IsObject())
    return wrong("it must be an object", path + "." + member);
  if (!find_string(*object, "name"))
    return wrong("it must be a string", path + "." + member + ".name");
  return right();
}

verdict tools(const value& x) {
  if (!x.IsArray())
    return any_array(x);
  for (rapidjson::SizeType i = 0; i < x.Size(); ++i) {
    const auto path = "[" + std::to_string(i) + "]";
    if (!x[i].IsObject())
      return wrong("it must be an object", path);
    const auto* type = find_string(x[i], "type");
    if (!type)
      return wrong("it must be a string", path + ".type");
    // Other types are tools of some upstream's own.
    for (const char* known : {"function", "custom"})
      if (text(*type) == known)
        if (auto v = named_object(x[i], known, path); !v.why.empty())
          return v;
  }
  return right();
}

verdict tool_choice(const value& x) {
  if (x.IsString())
    return word_of(x, {"none", "auto", "required"});
  if (!x.IsObject() || !find_string(x, "type"))
    return wrong("it must be 'none', 'auto', 'required' or an object with a 'type'");
  return right();
}

verdict functions(const value& x) {
  if (!x.IsArray() || x.Empty() || x.Size() > 128)
    return wrong("it must be an array of 1 to 128 functions");
  for (rapidjson::SizeType i = 0; i < x.Size(); ++i)
    if (!x[i].IsObject() || !find_string(x[i], "name"))
      return wrong("it must be an object with a 'name'", "[" + std::to_string(i) + "]");
  return right();
}

verdict function_call(const value& x) {
  if (x.IsString())
    return word_of(x, {"none", "auto"});
  if (!x.IsObject() || !find_string(x, "name"))
    return wrong("it must be 'none', 'auto' or an object with a 'name'");
  return right();
}

verdict modalities(const value& x) {
  if (!x.IsArray())
    return any_array(x);
  for (const auto& y : x.GetArray())
    if (auto v = word_of(y, {"text", "audio"}); !v.why.empty())
      return v;
  return right();
}

verdict audio(const value& x) {
  if (!x.IsObject())
    return any_object(x);
  const auto* format = find(x, "format");
  if (!format)
    return wrong("it is missing", ".format");
  if (auto v = word_of(*format, {"wav", "aac", "mp3", "flac", "opus", "pcm16"}); !v.why.empty())
    return wrong(v.why, ".format");
  const auto* voice = find(x, "voice");
  if (!voice || !(voice->IsString() || voice->IsObject()))
    return wrong("it must be a string or an object", ".voice");
  return right();
}

verdict prediction(const value& x) {
  if (!x.IsObject())
    return any_object(x);
  const auto* type = find_string(x, "type");
  if (!type || text(*type) != "content")
    return wrong("it must be 'content'", ".type");
  const auto* content = find(x, "content");
  if (!content || !(content->IsString() || content->IsArray()))
    return wrong("it must be a string or an array of parts", ".content");
  return right();
}

verdict metadata(const value& x) {
  if (!x.IsObject())
    return any_object(x);
  if (x.MemberCount() > 16)
    return wrong("it must have at most 16 pairs");
  for (const auto& entry : x.GetObject()) {
    const auto path = "." + std::string{text(entry.name)};
    if (length(entry.name) > 64)
      return wrong("its keys must have at most 64 characters");
    if (auto v = string_up_to(entry.value, 512); !v.why.empty())
      return wrong(v.why, path);
  }
  return right();
}

const std::unordered_map<std::string_view, rule> rules{
    {"audio", audio},
    {"frequency_penalty", penalty},
    {"function_call", function_call},
    {"functions", functions},
    {"logit_bias", logit_bias},
    {"logprobs", any_flag},
    {"max_completion_tokens", at_least_one},
    {"max_tokens", at_least_one},
    {"messages", any_array},
    {"metadata", metadata},
    {"modalities", modalities},
    {"model", [](const value& x) { return string_up_to(x, 256); }},
    {"moderation", any_object},
    {"n", [](const value& x) { return integer_in(x, 1, 128); }},
    {"parallel_tool_calls", any_flag},
    {"prediction", prediction},
    {"presence_penalty", penalty},
    {"prompt_cache_key", any_string},
    {"prompt_cache_options", any_object},
    {"prompt_cache_retention", any_string},
    {"reasoning_effort",
     [](const value& x) {
       return word_of(x, {"none", "minimal", "low", "medium", "high", "xhigh", "max"});
     }},
    {"response_format", response_format},
    {"safety_identifier", [](const value& x) { return string_up_to(x, 64); }},
    {"seed", [](const value& x) { return integer_in(x, INT64_MIN, INT64_MAX); }},
    {"service_tier",
     [](const value& x) {
       return word_of(x, {"auto", "default", "flex", "scale", "priority", "fast"});
     }},
    {"stop", stop},
    {"store", any_flag},
    {"stream", any_flag},
    {"stream_options", stream_options},
    {"temperature", [](const value& x) { return number_in(x, 0, 2); }},
    {"tool_choice", tool_choice},
    {"tools", tools},
    {"top_logprobs", [](const value& x) { return integer_in(x, 0, 20); }},
    {"top_p", [](const value& x) { return number_in(x, 0, 1); }},
    {"user", any_string},
    {"verbosity",
     [](const value& x) {
       return word_of(x, {"low", "medium", "high"});
     }},
    {"web_search_options", any_object},
};

} // namespace

std::optional<failure> check_parameter(std::string_view name, const value& x) {
  const auto known = rules.find(name);
  if (known == rules.end() || x.IsNull())
    return std::nullopt;
  auto v = known->second(x);
  if (v.why.empty())
    return std::nullopt;
  return invalid_field(std::string{name} + v.path, v.why);
}

bool is_parameter(std::string_view name) {
  return rules.contains(name);
}

} // namespace lang_agent::http
