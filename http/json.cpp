#include "http/json.hpp"

#include "http/dom.hpp"

namespace lang_agent::http {

namespace {

void append_nullable(std::string& out, std::string_view text) {
  if (text.empty())
    out += "null";
  else
    append_json_string(out, repaired(text));
}

constexpr bool needs_escape(unsigned char c) {
  return c < 0x20 || c == '"' || c == '\\';
}

} // namespace

std::string repaired(std::string_view text) {
  rapidjson::MemoryStream in{text.data(), text.size()};
  rapidjson::StringBuffer out;
  while (in.Tell() < text.size()) {
    unsigned character = 0;
    const bool valid = rapidjson::UTF8<>::Decode(in, &character);
    rapidjson::UTF8<>::Encode(out, valid ? character : 0xfffd);
  }
  return {out.GetString(), out.GetSize()};
}

void append_json_string(std::string& out, std::string_view text) {
  static constexpr std::string_view hex = "0123456789abcdef";
  out.reserve(out.size() + text.size() + 2);
  out += '"';
  std::size_t copied = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (!needs_escape(c))
      continue;
    out.append(text, copied, i - copied);
    copied = i + 1;
    switch (c) {
    case '"':
      out += "\\\"";
      break;
    case '\\':
      out += "\\\\";
      break;
    case '\n':
      out += "\\n";
      break;
    case '\r':
      out += "\\r";
      break;
    case '\t':
      out += "\\t";
      break;
    default:
      out += "\\u00";
      out += hex[c >> 4];
      out += hex[c & 15];
    }
  }
  out.append(text, copied);
  out += '"';
}

std::string encode_error(const failure& why) {
  const auto& contract = contract_of(why.kind);
  std::string out = R"({"error":{"message":)";
  append_json_string(out, repaired(why.message)); // it quotes request targets and upstreams
  out += R"(,"type":)";
  append_json_string(out, why.type.empty() ? contract.type : std::string_view{why.type});
  out += R"(,"param":)";
  append_nullable(out, why.param);
  out += R"(,"code":)";
  append_nullable(out, why.code.empty() ? contract.code : std::string_view{why.code});
  out += "}}";
  return out;
}

failure invalid_field(const std::string& name, const std::string& problem) {
  return {error_kind::invalid_request, "Invalid value for '" + name + "': " + problem + ".", name};
}

std::uint32_t estimate_tokens(std::string_view text) {
  std::size_t ascii = 0;
  std::size_t others = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    ascii += byte < 0x80;
    others += byte >= 0xc0; // lead bytes of multi-byte characters
  }
  return static_cast<std::uint32_t>((ascii + 3) / 4 + others);
}

std::uint64_t estimate_tokens(const message_list& prompt) {
  std::uint64_t sum = 0;
  for (const auto& message : prompt)
    sum += message->tokens;
  return sum;
}

} // namespace lang_agent::http
