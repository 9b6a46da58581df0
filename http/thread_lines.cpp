/// The lines of exports and imports.
#include "http/json.hpp"
#include "http/message_codec.hpp"
#include "http/thread_codec.hpp"
#include "http/thread_json.hpp"

#include <algorithm>

namespace lang_agent::http {

namespace {

using dom::text;
using dom::value;

constexpr std::string_view line_format = "lang-agent.thread/1";
constexpr unix_ms latest_time = 253'402'300'799'999; ///< the end of the year 9999

using import_line = std::variant<thread_info, stored_message, import_end, failure>;

/// Clients may send JSON on several lines. Line ends in it stand between its parts only.
std::string on_one_line(std::string out) {
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return out + "\n";
}

/// Reads one line. The first problem is kept and makes all further reading void.
class line_reader {
public:
  import_line read(std::string_view line) {
    problem_ = parse_object(document_, line);
    const auto object = read_text("object");
    import_line out;
    if (object == "thread")
      out = read_thread();
    else if (object == "thread.message")
      out = read_message();
    else if (object == "thread.end")
      out = import_end{read_id(), read_number("messages")};
    else
      refuse("object", "it must be 'thread', 'thread.message' or 'thread.end'");
    return problem_ ? import_line{*problem_} : out;
  }

private:
  void refuse(const std::string& name, const std::string& why) {
    refuse(invalid_field(name, why));
  }

  void refuse(std::optional<failure> why) {
    if (!problem_)
      problem_ = std::move(why);
  }

  /// Null once there is a problem.
  const value* find(std::string_view name) {
    const auto* member = problem_ ? nullptr : find_member(document_, name);
    return member ? member->content : nullptr;
  }

  std::string read_text(const std::string& name) {
    const auto* x = find(name);
    if (x && x->IsString())
      return std::string{text(*x)};
    refuse(name, "it must be a string");
    return {};
  }

  std::uint64_t read_number(const std::string& name) {
    const auto* x = find(name);
    if (x && x->IsUint64())
      return x->GetUint64();
    refuse(name, "it must be an integer, not below 0");
    return 0;
  }

  unix_ms read_time(const std::string& name) {
    const auto time = static_cast<unix_ms>(std::min<std::uint64_t>(read_number(name), INT64_MAX));
    if (time > latest_time)
      refuse(name, "it must be a Unix time in milliseconds");
    return time;
  }

  std::string read_id() {
    auto id = read_text("id");
    if (!is_thread_id(id))
      refuse("id", "it must have 1 to 128 printable characters");
    return id;
  }

  thread_info read_thread() {
    if (const auto* x = find("format"); !x || !x->IsString() || text(*x) != line_format)
      refuse("format", "only '" + std::string{line_format} + "' is understood");
    thread_info out;
    out.id = read_id();
    out.created = read_time("created_ms");
    out.updated = read_time("updated_ms");
    out.turns = read_number("turns");
    out.metadata = read_metadata();
    out.instructions = read_instructions();
    return out;
  }

  thread_metadata read_metadata() {
    thread_metadata out;
    const auto* x = find("metadata");
    if (!x)
      return out;
    if (!x->IsObject() || x->MemberCount() > max_metadata_pairs) {
      refuse("metadata",
             "it must be an object of up to " + std::to_string(max_metadata_pairs) + " members");
      return out;
    }
    for (const auto& pair : x->GetObject()) {
      const auto name = std::string{text(pair.name)};
      refuse(check_metadata(name, pair.value));
      if (!pair.value.IsString())
        refuse("metadata." + name, "it must be a string");
      else if (!out.try_emplace(name, text(pair.value)).second)
        refuse("metadata." + name, "it is given twice");
    }
    return out;
  }

  message_list read_instructions() {
    message_list out;
    const auto* x = find("instructions");
    if (!x)
      return out;
    if (!x->IsArray()) {
      refuse("instructions", "it must be an array of messages");
      return out;
    }
    const auto& rows = find_member(document_, "instructions")->rows;
    for (rapidjson::SizeType i = 0; i < x->Size() && !problem_; ++i) {
      const auto name = "instructions[" + std::to_string(i) + "]";
      out.push_back(check_message((*x)[i], rows[i], name));
      if (out.back() && !out.back()->is_instruction())
        refuse(name + ".role", "it must be system or developer");
    }
    return out;
  }

  stored_message read_message() {
    stored_message out;
    const auto number = parse_message_id(read_text("id"));
    if (!number)
      refuse("id", "it must be 'msg_' and a number");
    out.number = number.value_or(0);
    out.created = read_time("created_ms");
    if (const auto* x = find("superseded")) {
      if (!x->IsBool())
        refuse("superseded", "it must be a boolean");
      out.superseded = x->IsTrue();
    }
    const auto* x = find("message");
    if (!x)
      refuse("message", "it must be an object");
    else
      out.message = check_message(*x, find_member(document_, "message")->raw, "message");
    if (out.message && out.message->is_instruction())
      refuse("message.role", "instructions belong to the line of the thread");
    return with_reasoning(std::move(out));
  }

  stored_message with_reasoning(stored_message out) {
    const auto* x = find("reasoning_content");
    if (!x || !out.message)
      return out;
    if (!x->IsString() || out.message->who != role::assistant) {
      refuse("reasoning_content", "it must be a string, and beside an assistant message");
      return out;
    }
    auto copy = std::make_shared<chat_message>(*out.message);
    copy->reasoning = find_member(document_, "reasoning_content")->raw;
    out.message = std::move(copy);
    return out;
  }

  message_ptr check_message(const value& x, std::string_view raw, const std::string& name) {
    auto decoded = decode_message(x, raw, name);
    if (auto* why = std::get_if<failure>(&decoded)) {
      refuse(std::move(*why));
      return nullptr;
    }
    return std::get<message_ptr>(std::move(decoded));
  }

  dom::spanned_document document_;
  std::optional<failure> problem_;
};

} // namespace

std::string export_thread_line(const thread_info& x) {
  std::string out = R"({"id":)";
  append_json_string(out, x.id);
  append_text_member(out, "object", "thread");
  append_text_member(out, "format", line_format);
  append_member(out, "created_ms", std::to_string(x.created));
  append_member(out, "updated_ms", std::to_string(x.updated));
  append_thread_facts(out, x, true);
  return on_one_line(out + "}");
}

std::string export_message_line(const stored_message& x) {
  std::string out = R"({"id":")" + message_id(x.number) + R"(","object":"thread.message")";
  append_member(out, "created_ms", std::to_string(x.created));
  append_message_facts(out, x);
  return on_one_line(out + "}");
}

std::string export_end_line(std::string_view id, std::uint64_t message_lines) {
  std::string out = R"({"object":"thread.end","id":)";
  append_json_string(out, id);
  append_member(out, "messages", std::to_string(message_lines));
  return out + "}\n";
}

import_line decode_import_line(std::string_view line_text, std::size_t line) {
  auto out = line_reader{}.read(line_text);
  if (auto* why = std::get_if<failure>(&out)) {
    const auto where = "line " + std::to_string(line);
    why->message = where + ": " + why->message;
    why->param = where;
  }
  return out;
}

} // namespace lang_agent::http
