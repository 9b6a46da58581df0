#include "http/account_codec.hpp"
#include "http/limits_json.hpp"

namespace lang_agent::http {

using dom::text;

namespace {

constexpr std::size_t longest_label = 128;

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

/// Null: never.
void read_expiry(object_reader& in, std::optional<unix_ms>& out) {
  constexpr std::uint64_t latest = 253'402'300'799; // the end of the year 9999
  const bool is_given = in.has("expires_at");
  std::uint64_t at = 0;
  in.count("expires_at", at, latest, 1);
  if (is_given)
    out = static_cast<unix_ms>(at) * 1000;
}

/// Null: those of the tenant.
std::optional<failure> read_own_limits(object_reader& in, std::optional<std::string>& out) {
  if (!in.has("limits"))
    return std::nullopt;
  const bool none = in.has_null("limits");
  usage_limits own;
  auto why = read_limits(in, "limits", own);
  if (!why)
    out = none ? std::string{} : limits_text(own);
  return why;
}

} // namespace

std::variant<key_change, failure> decode_key_change(std::string_view body, bool rotates) {
  key_change out;
  if (body.empty())
    return out;
  dom::spanned_document document;
  if (auto why = parse_body(document, body))
    return *why;
  object_reader in{document.root(), ""};
  if (rotates) {
    std::uint64_t overlap = 0;
    in.count("overlap_seconds", overlap, most_of_a_count);
    out.overlap_s = static_cast<std::int64_t>(overlap);
  } else {
    read_label(in, out.label);
    read_flag(in, "disabled", out.disabled);
    read_expiry(in, out.expires);
    if (auto why = read_own_limits(in, out.limits))
      return *why;
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
  if (x.limits)
    append_member(out, "limits", x.limits->empty() ? "null" : *x.limits);
  if (x.overlap_s)
    append_member(out, "overlap_seconds", std::to_string(*x.overlap_s));
  if (out.empty())
    return "{}";
  out.front() = '{'; // instead of the comma
  return out + "}";
}

std::optional<usage_limits> decode_key_limits(const std::string& json) {
  dom::spanned_document document;
  if (json.empty() || parse_object(document, json))
    return std::nullopt;
  usage_limits out;
  object_reader in{document.root(), ""};
  read_limits(in, out);
  return in.finish() ? std::nullopt : std::optional{out};
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
  append_member(out, "limits", x.limits.empty() ? "null" : x.limits);
  if (!secret.empty())
    append_text_member(out, "key", secret);
  return out + "}";
}

} // namespace lang_agent::http
