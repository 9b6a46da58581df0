#include "http/account_codec.hpp"

#include "http/json.hpp"
#include "http/thread_json.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>

namespace lang_agent::http {

using dom::text;
using dom::value;

namespace {

constexpr std::uint64_t many = 1'000'000'000;
constexpr std::uint64_t most_tokens = 1'000'000'000'000'000;
constexpr std::size_t longest_label = 128;

failure in_body(failure why) {
  if (why.kind == error_kind::invalid_json)
    why.message = "We could not parse the JSON body of your request: " + why.message;
  return why;
}

/// Whole numbers of usage limits, by their names in JSON, which are those of the config.
template <class Limits, class Visit>
void for_each_count(Limits& x, Visit visit) {
  visit("max_turns", x.max_turns, many);
  visit("max_streams", x.max_streams, many);
  visit("requests_per_minute", x.requests_per_minute, many);
  visit("tokens_per_minute", x.tokens_per_minute, many);
  visit("tokens_per_day", x.tokens_per_day, most_tokens);
  visit("tokens_per_month", x.tokens_per_month, most_tokens);
}

template <class Limits, class Visit>
void for_each_amount(Limits& x, Visit visit) {
  visit("cost_per_day", x.cost_per_day);
  visit("cost_per_month", x.cost_per_month);
}

/// Reads the members of one object; each is asked for once, and what nobody asked for is an error.
class object_reader {
public:
  object_reader(const value& object, std::string path) : path_(std::move(path)) {
    for (const auto& x : object.GetObject())
      if (!members_.try_emplace(std::string{text(x.name)}, &x.value).second)
        fail(std::string{text(x.name)}, "it is given twice");
  }

  /// Null: it is absent or JSON null.
  const value* take(const std::string& name) {
    const auto found = members_.find(name);
    if (found == members_.end())
      return nullptr;
    const auto* out = found->second;
    members_.erase(found);
    return out->IsNull() ? nullptr : out;
  }

  template <class Number>
  void count(const std::string& name, Number& out, std::uint64_t most, std::uint64_t least = 0) {
    const auto* x = take(name);
    if (!x)
      return;
    if (!x->IsUint64() || x->GetUint64() > most || x->GetUint64() < least)
      return fail(name, "it must be a whole number from " + std::to_string(least) + " to "
                            + std::to_string(most));
    out = static_cast<Number>(x->GetUint64());
  }

  void amount(const std::string& name, std::uint64_t& out) {
    const auto* x = take(name);
    if (!x)
      return;
    if (!x->IsNumber() || !(x->GetDouble() >= 0 && x->GetDouble() <= 1e9))
      return fail(name, "it must be an amount from 0 to 1000000000");
    out = static_cast<std::uint64_t>(std::llround(x->GetDouble() * 1e6));
  }

  void limits(usage_limits& out) {
    for_each_count(out,
                   [&](const char* name, auto& x, std::uint64_t most) { count(name, x, most); });
    for_each_amount(out, [&](const char* name, auto& x) { amount(name, x); });
  }

  template <class Enum>
  void word(const std::string& name, std::optional<Enum>& out,
            std::initializer_list<std::pair<const char*, Enum>> words) {
    const auto* x = take(name);
    if (!x)
      return;
    for (const auto& [word, meaning] : words)
      if (x->IsString() && text(*x) == word)
        out = meaning;
    if (!out)
      fail(name, std::string{"it must be \""} + words.begin()->first + "\" or \""
                     + (words.begin() + 1)->first + "\"");
  }

  void fail(const std::string& name, const std::string& problem) {
    if (!problem_)
      problem_ = invalid_field(path_ + name, problem);
  }

  /// The first problem.
  std::optional<failure> finish() {
    if (!members_.empty())
      fail(members_.begin()->first, "no such field is known");
    return std::move(problem_);
  }

private:
  std::string path_;
  std::map<std::string, const value*> members_;
  std::optional<failure> problem_;
};

void read_models(object_reader& in, std::vector<std::string>& out) {
  const auto* x = in.take("models");
  if (!x)
    return;
  if (!x->IsArray())
    return in.fail("models", "it must be a list of names");
  for (const auto& name : x->GetArray()) {
    if (!name.IsString() || name.GetStringLength() == 0)
      return in.fail("models", "it must be a list of names");
    out.emplace_back(text(name));
  }
}

void read_default_thread(object_reader& in, std::optional<std::string>& out) {
  const auto* x = in.take("default_thread");
  if (!x)
    return;
  if (x->IsString() && text(*x) == "none") {
    out = "";
    return;
  }
  std::string id;
  if (const auto why = read_thread_id(id, "default_thread", *x))
    return in.fail("default_thread", "it must be an id of a thread, or \"none\"");
  out = std::move(id);
}

/// Millionths as a decimal number.
std::string amount_text(std::uint64_t x) {
  std::array<char, 40> out{};
  std::snprintf(out.data(), out.size(), "%llu.%06llu",
                static_cast<unsigned long long>(x / 1'000'000),
                static_cast<unsigned long long>(x % 1'000'000));
  std::string digits{out.data()};
  digits.erase(digits.find_last_not_of('0') + 1);
  if (digits.back() == '.')
    digits += '0';
  return digits;
}

void append_limits(std::string& out, const usage_limits& x) {
  for_each_count(x, [&](const char* name, const auto& count, std::uint64_t) {
    append_member(out, name, std::to_string(count));
  });
  for_each_amount(x, [&](const char* name, std::uint64_t amount) {
    append_member(out, name, amount_text(amount));
  });
}

} // namespace

bool is_tenant_id(std::string_view id) {
  return !id.empty() && id.size() <= 128 && std::all_of(id.begin(), id.end(), [](char c) {
    return c > 0x20 && c < 0x7f && c != '/';
  });
}

std::variant<tenant_settings, failure> decode_tenant(std::string_view body, const std::string& id) {
  constexpr std::uint64_t most_weight = 1000;
  dom::spanned_document document;
  if (auto why = parse_object(document, body))
    return in_body(*why);
  tenant_settings out;
  out.name = id;
  object_reader in{document.root(), ""};
  for (const char* told : {"id", "object", "source"}) // as a GET shows them
    in.take(told);
  in.limits(out.limits);
  in.count("max_connections", out.limits.max_connections, many);
  in.count("max_threads", out.storage.threads, many);
  in.count("max_stored_bytes", out.storage.bytes, most_tokens);
  in.count("weight", out.weight, most_weight, 1);
  in.count("max_waiting", out.max_waiting, many);
  std::uint64_t ttl = 0;
  in.count("ttl_seconds", ttl, many);
  out.ttl = std::chrono::seconds{ttl};
  read_models(in, out.models);
  read_default_thread(in, out.default_thread);
  in.word<busy_policy>("on_busy", out.on_busy,
                       {{"enqueue", busy_policy::enqueue}, {"reject", busy_policy::reject}});
  in.word<disconnect_policy>(
      "on_disconnect", out.on_disconnect,
      {{"cancel", disconnect_policy::cancel}, {"finish", disconnect_policy::finish}});
  if (const auto* each = in.take("key_limits")) {
    if (!each->IsObject())
      return invalid_field("key_limits", "it must be an object");
    object_reader sub{*each, "key_limits."};
    sub.limits(out.key_limits);
    if (auto why = sub.finish())
      return *why;
  }
  if (auto why = in.finish())
    return *why;
  return out;
}

std::string encode_tenant(const tenant_settings& x, std::string_view source) {
  std::string out = R"({"id":)";
  append_json_string(out, x.name);
  append_text_member(out, "object", "tenant");
  append_text_member(out, "source", source);
  append_limits(out, x.limits);
  append_member(out, "max_connections", std::to_string(x.limits.max_connections));
  append_member(out, "max_threads", std::to_string(x.storage.threads));
  append_member(out, "max_stored_bytes", std::to_string(x.storage.bytes));
  append_member(out, "weight", std::to_string(x.weight));
  append_member(out, "max_waiting", std::to_string(x.max_waiting));
  append_member(out, "ttl_seconds",
                std::to_string(std::chrono::duration_cast<std::chrono::seconds>(x.ttl).count()));
  out += R"(,"models":[)";
  for (const auto& name : x.models) {
    if (out.back() != '[')
      out += ',';
    append_json_string(out, name);
  }
  out += ']';
  if (x.default_thread)
    append_text_member(out, "default_thread",
                       x.default_thread->empty() ? "none" : *x.default_thread);
  if (x.on_busy)
    append_text_member(out, "on_busy", *x.on_busy == busy_policy::reject ? "reject" : "enqueue");
  if (x.on_disconnect)
    append_text_member(out, "on_disconnect",
                       *x.on_disconnect == disconnect_policy::finish ? "finish" : "cancel");
  std::string each;
  append_limits(each, x.key_limits);
  each.front() = '{'; // instead of the comma
  append_member(out, "key_limits", each + "}");
  return out + "}";
}

std::string encode_list(const std::vector<std::string>& elements) {
  std::string out = R"({"object":"list","data":[)";
  for (const auto& x : elements) {
    if (out.back() != '[')
      out += ',';
    out += x;
  }
  return out + "]}";
}

std::string encode_deleted(std::string_view id, std::string_view kind) {
  std::string out = R"({"id":)";
  append_json_string(out, id);
  append_text_member(out, "object", std::string{kind} + ".deleted");
  return out + R"(,"deleted":true})";
}

// -- keys -----------------------------------------------------------------------------------------

namespace {

std::string time_text(unix_ms x) {
  return x == 0 ? "null" : std::to_string(x / 1000);
}

void read_label(object_reader& in, std::optional<std::string>& out) {
  const auto* x = in.take("label");
  if (!x)
    return;
  if (!x->IsString() || x->GetStringLength() > longest_label)
    return in.fail("label",
                   "it must be a string of up to " + std::to_string(longest_label) + " bytes");
  out = text(*x);
}

void read_flag(object_reader& in, const char* name, std::optional<bool>& out) {
  const auto* x = in.take(name);
  if (!x)
    return;
  if (!x->IsBool())
    return in.fail(name, "it must be true or false");
  out = x->GetBool();
}

} // namespace

std::variant<key_change, failure> decode_key_change(std::string_view body, bool rotates) {
  constexpr std::uint64_t latest = 253'402'300'799; // the end of the year 9999
  key_change out;
  if (body.empty())
    return out;
  dom::spanned_document document;
  if (auto why = parse_object(document, body))
    return in_body(*why);
  object_reader in{document.root(), ""};
  if (rotates) {
    std::uint64_t overlap = 0;
    in.count("overlap_seconds", overlap, many);
    out.overlap_s = static_cast<std::int64_t>(overlap);
  } else {
    read_label(in, out.label);
    read_flag(in, "disabled", out.disabled);
    const auto* expires = find_member(document, "expires_at");
    std::uint64_t at = 0;
    in.count("expires_at", at, latest);
    if (expires)
      out.expires = static_cast<unix_ms>(at) * 1000;
    for (const auto& member : document.members()) // null: never
      if (!expires && text(*member.name) == "expires_at")
        out.expires = 0;
  }
  if (auto why = in.finish())
    return *why;
  return out;
}

std::string encode_key_change(const key_change& x) {
  std::string out;
  if (x.label)
    append_text_member(out, "label", *x.label);
  if (x.expires)
    append_member(out, "expires_at", time_text(*x.expires));
  if (x.disabled)
    append_member(out, "disabled", *x.disabled ? "true" : "false");
  if (x.overlap_s)
    append_member(out, "overlap_seconds", std::to_string(*x.overlap_s));
  if (out.empty())
    return "{}";
  out.front() = '{'; // instead of the comma
  return out + "}";
}

std::string encode_key(const stored_key& x, std::string_view secret) {
  std::string out = R"({"id":)";
  append_json_string(out, x.id);
  append_text_member(out, "object", "api_key");
  append_text_member(out, "tenant", x.tenant);
  append_text_member(out, "label", x.label);
  append_text_member(out, "hint", x.hint);
  append_member(out, "created_at", time_text(x.created));
  append_member(out, "expires_at", time_text(x.expires));
  append_member(out, "last_used_at", time_text(x.last_used));
  append_member(out, "disabled", x.disabled ? "true" : "false");
  if (!secret.empty())
    append_text_member(out, "key", secret);
  return out + "}";
}

} // namespace lang_agent::http
