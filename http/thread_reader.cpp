#include "http/thread_reader.hpp"

#include "http/dom.hpp"

namespace lang_agent::http {

namespace {

using dom::find;
using dom::find_string;
using dom::text;
using dom::value;

std::uint64_t number(const value& object, const char* name) {
  const auto* x = find(object, name);
  return x && x->IsUint64() ? x->GetUint64() : 0;
}

unix_ms time(const value& object, const char* name) {
  return static_cast<unix_ms>(number(object, name)) * 1000;
}

thread_info read_thread(const value& x) {
  thread_info out;
  if (const auto* id = find_string(x, "id"))
    out.id = text(*id);
  out.created = time(x, "created_at");
  out.updated = time(x, "updated_at");
  out.turns = number(x, "turns");
  out.messages = number(x, "messages");
  out.tokens = number(x, "tokens");
  if (const auto* pairs = find(x, "metadata"); pairs && pairs->IsObject())
    for (const auto& pair : pairs->GetObject())
      if (pair.value.IsString())
        out.metadata.emplace(text(pair.name), text(pair.value));
  return out;
}

} // namespace

std::optional<page<thread_info>> decode_thread_list(std::string_view body) {
  rapidjson::Document document;
  document.Parse(body.data(), body.size());
  const auto* data = document.IsObject() ? find(document, "data") : nullptr;
  if (!data || !data->IsArray())
    return std::nullopt;
  page<thread_info> out;
  for (const auto& x : data->GetArray())
    if (x.IsObject())
      out.data.push_back(read_thread(x));
  const auto* more = find(document, "has_more");
  out.has_more = more && more->IsTrue();
  return out;
}

std::string decode_error_message(std::string_view body) {
  rapidjson::Document document;
  document.Parse(body.data(), body.size());
  const auto* error = document.IsObject() ? find(document, "error") : nullptr;
  const auto* message = error && error->IsObject() ? find_string(*error, "message") : nullptr;
  return message ? std::string{text(*message)} : std::string{};
}

} // namespace lang_agent::http
