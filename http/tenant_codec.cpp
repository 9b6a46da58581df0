#include "http/account_codec.hpp"
#include "http/limits_json.hpp"

#include <algorithm>

namespace lang_agent::http {

using dom::text;

namespace {

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

} // namespace

bool is_tenant_id(std::string_view id) {
  return !id.empty() && id.size() <= 128 && std::all_of(id.begin(), id.end(), [](char c) {
    return c > 0x20 && c < 0x7f && c != '/';
  });
}

std::variant<tenant_settings, failure> decode_tenant(std::string_view body, const std::string& id) {
  constexpr std::uint64_t most_weight = 1000;
  dom::spanned_document document;
  if (auto why = parse_body(document, body))
    return *why;
  tenant_settings out;
  out.name = id;
  object_reader in{document.root(), ""};
  for (const char* told : {"id", "object", "source"}) // as a GET shows them
    in.take(told);
  read_limits(in, out.limits);
  in.count("max_connections", out.limits.max_connections, most_of_a_count);
  in.count("max_threads", out.storage.threads, most_of_a_count);
  in.count("max_stored_bytes", out.storage.bytes, most_tokens);
  in.count("weight", out.weight, most_weight, 1);
  in.count("max_waiting", out.max_waiting, most_of_a_count);
  std::uint64_t ttl = 0;
  in.count("ttl_seconds", ttl, most_of_a_count);
  out.ttl = std::chrono::seconds{ttl};
  read_models(in, out.models);
  read_default_thread(in, out.default_thread);
  in.word<busy_policy>("on_busy", out.on_busy,
                       {{"enqueue", busy_policy::enqueue}, {"reject", busy_policy::reject}});
  in.word<disconnect_policy>(
      "on_disconnect", out.on_disconnect,
      {{"cancel", disconnect_policy::cancel}, {"finish", disconnect_policy::finish}});
  if (auto why = read_limits(in, "key_limits", out.key_limits))
    return *why;
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
  append_member(out, "key_limits", limits_text(x.key_limits));
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

} // namespace lang_agent::http
