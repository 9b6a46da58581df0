#include "http/json.hpp"

#include "http/dom.hpp"

#include <bit>
#include <cstdint>
#include <cstring>

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

/// Eight bytes at once, each in a byte of a word.
constexpr std::uint64_t all(std::uint64_t byte) {
  return byte * 0x0101010101010101;
}

std::uint64_t eight_bytes(const char* from) {
  std::uint64_t out = 0;
  std::memcpy(&out, from, sizeof out);
  return out;
}

/// Whether some byte of a word is below `n`, which is 128 at most (Bit Twiddling Hacks, "Determine
/// if a word has a byte less than n").
constexpr bool has_less(std::uint64_t word, std::uint64_t n) {
  return ((word - all(n)) & ~word & all(0x80)) != 0;
}

bool needs_escape_in(std::uint64_t word) {
  return has_less(word, 0x20) || has_less(word ^ all('"'), 1) || has_less(word ^ all('\\'), 1);
}

/// Where the next character that needs an escape stands.
std::size_t next_escape(std::string_view text, std::size_t from) {
  while (from + 8 <= text.size() && !needs_escape_in(eight_bytes(text.data() + from)))
    from += 8;
  while (from < text.size() && !needs_escape(static_cast<unsigned char>(text[from])))
    ++from;
  return from;
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
  for (auto i = next_escape(text, 0); i < text.size(); i = next_escape(text, i + 1)) {
    const auto c = static_cast<unsigned char>(text[i]);
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
  std::size_t high = 0;
  std::size_t others = 0; // lead bytes of multi-byte characters
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    const auto word = eight_bytes(text.data() + i);
    high += std::popcount(word & all(0x80));
    others += std::popcount(word & (word << 1) & all(0x80));
  }
  for (; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    high += byte >= 0x80;
    others += byte >= 0xc0;
  }
  const auto ascii = text.size() - high;
  return static_cast<std::uint32_t>((ascii + 3) / 4 + others);
}

std::uint64_t estimate_tokens(const message_list& prompt) {
  std::uint64_t sum = 0;
  for (const auto& message : prompt)
    sum += message->tokens;
  return sum;
}

} // namespace lang_agent::http
