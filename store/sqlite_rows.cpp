#include "store/packed_list.hpp"
#include "store/sqlite_engine.hpp"

#include <charconv>

namespace lang_agent::store::sqlite {

namespace {

digest read_digest(std::string_view bytes) {
  if (bytes.size() != 16)
    throw storage_error{"the database holds a message without a digest"};
  const auto half = [&](std::size_t first) {
    std::uint64_t out = 0;
    for (std::size_t i = 8; i-- > 0;)
      out = out << 8 | static_cast<unsigned char>(bytes[first + i]);
    return out;
  };
  return {half(0), half(8)};
}

role read_role(std::int64_t x) {
  if (x < 0 || x > static_cast<std::int64_t>(role::function))
    throw storage_error{"the database holds a message of an unknown role"};
  return static_cast<role>(x);
}

template <class Number>
Number read_number(const std::string& text) {
  Number out = 0;
  const auto* end = text.data() + text.size();
  if (const auto [stop, error] = std::from_chars(text.data(), end, out);
      error != std::errc{} || stop != end)
    throw storage_error{"the database holds a number that cannot be read"};
  return out;
}

} // namespace

message_ptr read_message(const cursor& row, int first) {
  auto out = std::make_shared<chat_message>();
  out->who = read_role(row.integer(first + 1));
  out->tokens = static_cast<std::uint32_t>(row.integer(first + 2));
  out->empty = row.integer(first + 3) != 0;
  out->id = read_digest(row.bytes(first + 4));
  out->calls = unpack(row.bytes(first + 5));
  out->answers = row.bytes(first + 6);
  out->reasoning = row.bytes(first + 7);
  out->json = row.bytes(first + 8);
  return out;
}

digest_bytes::digest_bytes(const digest& x) {
  auto* out = bytes_.data();
  for (const auto half : {x.high, x.low})
    for (int shift = 0; shift < 64; shift += 8)
      *out++ = static_cast<char>(half >> shift & 0xff);
}

std::string pack_metadata(const thread_metadata& x) {
  std::string out;
  for (const auto& [name, value] : x) {
    pack(out, name);
    pack(out, value);
  }
  return out;
}

thread_metadata unpack_metadata(std::string_view packed) {
  const auto texts = unpack(packed);
  thread_metadata out;
  for (std::size_t i = 0; i + 1 < texts.size(); i += 2)
    out.emplace(texts[i], texts[i + 1]);
  return out;
}

std::string pack_usage(const usage_row& x) {
  std::string out;
  for (const auto* name : {&x.key.tenant, &x.key.key, &x.key.model})
    pack(out, *name);
  pack(out, std::to_string(x.key.day));
  const auto& counts = x.counts;
  for (const auto count : {counts.requests, counts.estimated, counts.cancelled, counts.failed,
                           counts.prompt_tokens, counts.completion_tokens})
    pack(out, std::to_string(count));
  pack(out, std::to_string(counts.cost));
  return out;
}

std::optional<usage_row> unpack_usage(std::string_view packed) try {
  const auto texts = unpack(packed);
  if (texts.size() != 11)
    return std::nullopt;
  usage_row out;
  out.key = {texts[0], texts[1], texts[2], read_number<std::int32_t>(texts[3])};
  auto next = texts.begin() + 4;
  auto& counts = out.counts;
  for (auto* count : {&counts.requests, &counts.estimated, &counts.cancelled, &counts.failed,
                      &counts.prompt_tokens, &counts.completion_tokens})
    *count = read_number<std::uint64_t>(*next++);
  counts.cost = read_number<std::int64_t>(*next);
  return out;
} catch (const storage_error&) {
  return std::nullopt;
}

} // namespace lang_agent::store::sqlite
