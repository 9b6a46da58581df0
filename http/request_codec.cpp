#include "http/request_codec.hpp"

#include "http/dom.hpp"
#include "http/json.hpp"
#include "http/message_codec.hpp"
#include "http/parameter_rules.hpp"
#include "http/thread_json.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace lang_agent::http {

namespace {

using dom::text;
using dom::value;

failure missing(std::string param) {
  return {error_kind::invalid_request, "Missing required parameter: '" + param + "'.", param};
}

class decoder {
public:
  explicit decoder(const decode_options& options) : options_(options) {
    out_.thread = options.default_thread;
  }

  std::variant<chat_request, failure> decode(std::string_view body) {
    if (!parse(body) || !check_duplicates() || !read_members() || !check_required())
      return std::move(*failure_);
    add_defaults();
    return std::move(out_);
  }

private:
  bool fail(failure why) {
    failure_ = std::move(why);
    return false;
  }

  bool parse(std::string_view body) {
    using enum dom::spanned_document::outcome;
    switch (document_.parse(body, options_.max_depth)) {
    case ok:
      return true;
    case too_deep:
      return fail(
          {error_kind::invalid_json,
           "The body is nested deeper than " + std::to_string(options_.max_depth) + " levels."});
    case not_an_object:
      return fail({error_kind::invalid_json, "The body must be a JSON object."});
    case malformed:
      break;
    }
    return fail({error_kind::invalid_json,
                 "We could not parse the JSON body of your request: " + document_.problem()
                     + ". The body must be one JSON object in UTF-8."});
  }

  /// Two parsers may disagree on which of two equal names counts.
  bool check_duplicates() {
    std::vector<std::string_view> names;
    for (const auto& member : document_.members())
      if (const auto name = text(*member.name); is_parameter(name) || name == "thread_id")
        names.push_back(name);
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    return twice == names.end() || fail(invalid_field(std::string{*twice}, "it is given twice"));
  }

  bool read_members() {
    for (const auto& member : document_.members()) {
      const auto name = text(*member.name);
      if (auto why = check_parameter(name, *member.content))
        return fail(std::move(*why));
      if (!read(name, member))
        return false;
    }
    return true;
  }

  /// Fields that mean something to us; all others are forwarded as they are.
  bool read(std::string_view name, const dom::spanned_document::member& member) {
    static constexpr std::array<std::string_view, 8> ours{"messages",
                                                          "model",
                                                          "stream",
                                                          "stream_options",
                                                          "thread_id",
                                                          "max_tokens",
                                                          "max_completion_tokens",
                                                          "temperature"};
    const auto& x = *member.content;
    const bool known = std::find(ours.begin(), ours.end(), name) != ours.end();
    if (x.IsNull() && (known || name == "n"))
      return true;
    if (name == "messages")
      return read_messages(member);
    if (name == "thread_id")
      return read_thread(x);
    if (name == "model")
      out_.parameters.model = text(x);
    else if (name == "stream")
      out_.parameters.stream = x.GetBool();
    else if (name == "stream_options")
      read_stream_options(x);
    else
      forward(name, member);
    return true;
  }

  void forward(std::string_view name, const dom::spanned_document::member& member) {
    const auto& x = *member.content;
    if (name == "max_tokens" || name == "max_completion_tokens") {
      has_token_limit_ = true;
      out_.parameters.max_tokens = x.GetInt64();
    } else if (name == "temperature") {
      has_temperature_ = true;
    } else if (name == "n") {
      out_.parameters.choices = x.GetUint();
    }
    add_member(name, member.raw);
  }

  void add_member(std::string_view name, std::string_view raw) {
    auto& out = out_.parameters.forwarded;
    out += ',';
    append_json_string(out, name);
    out += ':';
    out += raw;
  }

  void read_stream_options(const value& x) {
    for (const auto& option : x.GetObject()) {
      if (text(option.name) == "include_usage") {
        out_.parameters.include_usage = option.value.IsTrue();
        continue;
      }
      auto& out = out_.parameters.stream_options;
      out += ',';
      append_json_string(out, text(option.name));
      out += ':';
      out += dom::dump(option.value);
    }
  }

  bool read_thread(const value& x) {
    auto why = read_thread_id(out_.thread, "thread_id", x);
    return !why || fail(std::move(*why));
  }

  bool read_messages(const dom::spanned_document::member& member) {
    const auto& x = *member.content;
    if (x.Empty())
      return fail(invalid_field("messages", "it must have at least one message"));
    if (x.Size() > options_.max_messages)
      return fail(invalid_field("messages", "it has " + std::to_string(x.Size())
                                                + " messages; the limit is "
                                                + std::to_string(options_.max_messages)));
    for (rapidjson::SizeType i = 0; i < x.Size(); ++i) {
      auto decoded = decode_message(x[i], member.rows[i], "messages[" + std::to_string(i) + "]");
      if (auto* why = std::get_if<failure>(&decoded))
        return fail(std::move(*why));
      auto& message = std::get<message_ptr>(decoded);
      auto& list = message->is_instruction() ? out_.instructions : out_.messages;
      list.push_back(std::move(message));
    }
    return true;
  }

  bool check_required() {
    if (out_.instructions.empty() && out_.messages.empty())
      return fail(missing("messages"));
    if (out_.parameters.model.empty())
      return fail(missing("model"));
    return true;
  }

  void add_defaults() {
    if (!has_temperature_ && options_.temperature) {
      std::array<char, 32> number{};
      std::snprintf(number.data(), number.size(), "%.6g", *options_.temperature);
      add_member("temperature", number.data());
    }
    if (!has_token_limit_ && options_.max_tokens) {
      out_.parameters.max_tokens = options_.max_tokens;
      add_member("max_tokens", std::to_string(*options_.max_tokens));
    }
  }

  const decode_options& options_;
  dom::spanned_document document_;
  chat_request out_;
  std::optional<failure> failure_;
  bool has_token_limit_ = false;
  bool has_temperature_ = false;
};

} // namespace

std::variant<chat_request, failure> decode_chat_request(std::string_view body,
                                                        const decode_options& options) {
  return decoder{options}.decode(body);
}

} // namespace lang_agent::http
