#include "http/thread_codec.hpp"

#include "http/json.hpp"
#include "http/thread_json.hpp"
#include "http/uri.hpp"

#include <algorithm>
#include <charconv>

namespace lang_agent::http {

using dom::text;
using dom::value;

namespace {

constexpr std::size_t max_id_characters = 128;
constexpr std::size_t max_page = 100;
constexpr std::size_t max_metadata_name = 64;
constexpr std::size_t max_metadata_value = 512;
constexpr std::size_t max_metadata_changes = 64;
constexpr unsigned max_depth = 128;
constexpr std::string_view message_prefix = "msg_";

/// Of valid UTF-8.
std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t out = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, out);
  return problem == std::errc{} && stop == end ? std::optional{out} : std::nullopt;
}

std::string seconds(unix_ms x) {
  return std::to_string(x / 1000);
}

template <class T, class Encode, class Id>
std::string encode_list(const page<T>& x, Encode encode, Id id) {
  std::string out = R"({"object":"list","data":[)";
  for (const auto& element : x.data) {
    if (&element != &x.data.front())
      out += ',';
    out += encode(element);
  }
  out += R"(],"first_id":)";
  const auto add_id = [&](const T& element) { append_json_string(out, id(element)); };
  x.data.empty() ? void(out += "null") : add_id(x.data.front());
  out += R"(,"last_id":)";
  x.data.empty() ? void(out += "null") : add_id(x.data.back());
  append_member(out, "has_more", x.has_more ? "true" : "false");
  return out + "}";
}

std::string encode_message(const stored_message& x) {
  std::string out = R"({"id":")" + message_id(x.number) + R"(","object":"thread.message")";
  append_member(out, "created_at", seconds(x.created));
  append_message_facts(out, x);
  return out + "}";
}

std::optional<failure> read_parameter(list_parameters& out, const std::string& name,
                                      std::string& value) {
  if (name == "limit") {
    const auto number = parse_number(value).value_or(0);
    if (number < 1 || number > max_page)
      return invalid_field(name, "it must be an integer from 1 to " + std::to_string(max_page));
    out.limit = number;
  } else if (name == "order") {
    if (value != "asc" && value != "desc")
      return invalid_field(name, "it must be 'asc' or 'desc'");
    out.ascending = value == "asc";
  } else if (name == "after") {
    out.after = std::move(value);
  } else if (name == "superseded") {
    if (value != "true" && value != "false")
      return invalid_field(name, "it must be 'true' or 'false'");
    out.superseded = value == "true";
  }
  return std::nullopt;
}

} // namespace

// -- shared with the lines of exports -------------------------------------------------------------

void append_text_member(std::string& out, std::string_view name, std::string_view text) {
  append_member(out, name, {});
  append_json_string(out, text);
}

void append_thread_facts(std::string& out, const thread_info& x, bool with_instructions) {
  append_member(out, "turns", std::to_string(x.turns));
  append_member(out, "messages", std::to_string(x.messages));
  append_member(out, "tokens", std::to_string(x.tokens));
  out += R"(,"metadata":{)";
  for (const auto& [name, content] : x.metadata) {
    if (out.back() != '{')
      out += ',';
    append_json_string(out, name);
    out += ':';
    append_json_string(out, content);
  }
  out += '}';
  if (!with_instructions)
    return;
  out += R"(,"instructions":[)";
  for (const auto& message : x.instructions) {
    if (out.back() != '[')
      out += ',';
    out += message->json;
  }
  out += ']';
}

void append_message_facts(std::string& out, const stored_message& x) {
  append_member(out, "superseded", x.superseded ? "true" : "false");
  append_member(out, "tokens", std::to_string(x.message->tokens));
  append_member(out, "message", x.message->json);
  if (!x.message->reasoning.empty())
    append_member(out, "reasoning_content", x.message->reasoning);
}

std::optional<failure> check_metadata(std::string_view name, const value& x) {
  const auto length = characters(name);
  if (length < 1 || length > max_metadata_name)
    return invalid_field("metadata", "a name must have 1 to " + std::to_string(max_metadata_name)
                                         + " characters");
  if (x.IsNull() || (x.IsString() && characters(text(x)) <= max_metadata_value))
    return std::nullopt;
  return invalid_field("metadata." + std::string{name}, "it must be a string of up to "
                                                            + std::to_string(max_metadata_value)
                                                            + " characters");
}

std::optional<failure> parse_object(dom::spanned_document& out, std::string_view text) {
  switch (out.parse(text, max_depth)) {
  case dom::spanned_document::outcome::malformed:
    return failure{error_kind::invalid_json, out.problem()};
  case dom::spanned_document::outcome::too_deep:
    return failure{error_kind::invalid_json,
                   "It is nested deeper than " + std::to_string(max_depth) + " levels."};
  case dom::spanned_document::outcome::not_an_object:
    return failure{error_kind::invalid_json, "It must be a JSON object."};
  case dom::spanned_document::outcome::ok:
    break;
  }
  // Two parsers may disagree on which of two equal names counts.
  std::vector<std::string_view> names;
  for (const auto& member : out.members())
    names.push_back(dom::text(*member.name));
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end())
    return invalid_field(std::string{*twice}, "it is given twice");
  return std::nullopt;
}

const dom::spanned_document::member* find_member(const dom::spanned_document& x,
                                                 std::string_view name) {
  for (const auto& member : x.members())
    if (text(*member.name) == name)
      return member.content->IsNull() ? nullptr : &member;
  return nullptr;
}

// -- ids and queries ------------------------------------------------------------------------------

std::variant<list_parameters, failure> decode_list_query(std::string_view query) {
  list_parameters out;
  for (auto& [name, content] : query_parameters(query))
    if (auto why = read_parameter(out, name, content))
      return *why;
  return out;
}

std::string message_id(std::uint64_t number) {
  return std::string{message_prefix} + std::to_string(number);
}

std::optional<std::uint64_t> parse_message_id(std::string_view id) {
  if (!id.starts_with(message_prefix))
    return std::nullopt;
  const auto number = parse_number(id.substr(message_prefix.size()));
  // One spelling for each number: no zeros in front.
  return number && message_id(*number) == id ? number : std::nullopt;
}

std::optional<failure> read_thread_id(std::string& out, const std::string& name, const value& x) {
  if (x.IsInt64())
    out = std::to_string(x.GetInt64());
  else if (x.IsString() && is_thread_id(text(x)))
    out = text(x);
  else
    return invalid_field(
        name, "it must be an integer of 64 bits, or a string of 1 to 128 printable characters");
  return std::nullopt;
}

bool is_thread_id(std::string_view id) {
  // It may come from a path: not even UTF-8 is certain.
  rapidjson::MemoryStream in{id.data(), id.size()};
  std::size_t count = 0;
  while (in.Tell() < id.size()) {
    unsigned c = 0;
    if (!rapidjson::UTF8<>::Decode(in, &c) || c < 0x20 || (c >= 0x7f && c < 0xa0))
      return false;
    ++count;
  }
  return count >= 1 && count <= max_id_characters;
}

// -- answers --------------------------------------------------------------------------------------

std::string encode_thread(const thread_info& x, bool with_instructions) {
  std::string out = R"({"id":)";
  append_json_string(out, x.id);
  append_text_member(out, "object", "thread");
  append_member(out, "created_at", seconds(x.created));
  append_member(out, "updated_at", seconds(x.updated));
  append_thread_facts(out, x, with_instructions);
  return out + "}";
}

std::string encode_thread_list(const page<thread_info>& x) {
  return encode_list(
      x, [](const thread_info& info) { return encode_thread(info, false); },
      [](const thread_info& info) { return info.id; });
}

std::string encode_message_list(const page<stored_message>& x) {
  return encode_list(x, encode_message,
                     [](const stored_message& message) { return message_id(message.number); });
}

std::string encode_thread_deleted(std::string_view id) {
  std::string out = R"({"id":)";
  append_json_string(out, id);
  return out + R"(,"object":"thread.deleted","deleted":true})";
}

std::string encode_import_result(const std::vector<thread_info>& x) {
  std::string out = R"({"object":"list","data":[)";
  for (const auto& info : x) {
    if (out.back() != '[')
      out += ',';
    out += encode_thread(info, false);
  }
  return out + "]}";
}

// -- bodies ---------------------------------------------------------------------------------------

std::optional<failure> parse_body(dom::spanned_document& out, std::string_view body) {
  auto why = parse_object(out, body);
  if (why && why->kind == error_kind::invalid_json)
    why->message = "We could not parse the JSON body of your request: " + why->message;
  return why;
}

std::variant<fork_parameters, failure> decode_fork(std::string_view body) {
  fork_parameters out;
  if (body.empty())
    return out;
  dom::spanned_document document;
  if (auto why = parse_body(document, body))
    return *why;
  if (const auto* id = find_member(document, "id")) {
    if (auto why = read_thread_id(out.id, "id", *id->content))
      return *why;
  }
  if (const auto* up_to = find_member(document, "up_to")) {
    if (up_to->content->IsString())
      out.up_to = parse_message_id(text(*up_to->content));
    if (!out.up_to)
      return invalid_field("up_to", "it must be the id of a message");
  }
  return out;
}

std::variant<std::map<std::string, std::optional<std::string>>, failure>
decode_metadata_changes(std::string_view body) {
  dom::spanned_document document;
  if (auto why = parse_body(document, body))
    return *why;
  const auto* metadata = find_member(document, "metadata");
  if (!metadata)
    return failure{error_kind::invalid_request, "Missing required parameter: 'metadata'.",
                   "metadata"};
  if (!metadata->content->IsObject())
    return invalid_field("metadata", "it must be an object");
  if (metadata->content->MemberCount() > max_metadata_changes)
    return invalid_field("metadata",
                         "it has more than " + std::to_string(max_metadata_changes) + " names");
  std::map<std::string, std::optional<std::string>> out;
  for (const auto& x : metadata->content->GetObject()) {
    if (auto why = check_metadata(text(x.name), x.value))
      return *why;
    auto change = x.value.IsNull() ? std::nullopt : std::optional{std::string{text(x.value)}};
    if (!out.try_emplace(std::string{text(x.name)}, std::move(change)).second)
      return invalid_field("metadata." + std::string{text(x.name)}, "it is given twice");
  }
  return out;
}

} // namespace lang_agent::http
