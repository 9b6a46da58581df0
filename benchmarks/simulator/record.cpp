#include "benchmarks/simulator/record.hpp"

#include "http/json.hpp"

#include <array>
#include <cstdio>

namespace lang_agent::simulator {

namespace {

constexpr std::size_t most_characters = 200;
constexpr std::size_t longest_character = 4; // bytes

/// Its first characters: clients send what they like, and the log is kept in memory.
std::string cut_short(std::string_view x) {
  auto out = http::repaired(x.substr(0, most_characters * longest_character));
  std::size_t characters = 0;
  for (std::size_t i = 0; i < out.size(); ++i)
    if ((static_cast<unsigned char>(out[i]) & 0xc0) != 0x80 && ++characters > most_characters) {
      out.resize(i);
      break;
    }
  return out;
}

std::string text(std::string_view x) {
  std::string out;
  http::append_json_string(out, cut_short(x));
  return out;
}

std::string text_or_null(std::string_view x) {
  return x.empty() ? "null" : text(x);
}

std::string milliseconds(double x) {
  std::array<char, 32> out{};
  std::snprintf(out.data(), out.size(), "%.3f", x);
  return out.data();
}

std::string end_of_key(std::string_view key) {
  constexpr std::size_t shown = 4;
  if (key.empty())
    return "null";
  return text("..." + std::string{key.substr(key.size() > shown ? key.size() - shown : 0)});
}

} // namespace

std::string_view name_of(outcome x) {
  switch (x) {
#define NAME(name)                                                                                 \
  case outcome::name:                                                                              \
    return #name;
    NAME(complete)
    NAME(refused)
    NAME(client_closed)
    NAME(cut)
    NAME(malformed)
    NAME(wrong_type)
    NAME(error_in_stream)
    NAME(no_done)
    NAME(empty)
    NAME(tls_failure)
#undef NAME
  }
  return "?";
}

std::string to_json(const record& x) {
  std::string out = R"({"n":)" + (x.n ? std::to_string(*x.n) : "null");
  out += R"(,"connection":)" + std::to_string(x.connection);
  out += R"(,"path":)" + text_or_null(x.path);
  out += R"(,"request_id":)" + text_or_null(x.request_id);
  out += R"(,"key":)" + end_of_key(x.key);
  out += R"(,"model":)" + text_or_null(x.model);
  out += std::string{R"(,"stream":)"} + (x.stream ? "true" : "false");
  out += R"(,"fault":)" + (x.fault ? text(x.fault->name) : "null");
  out += R"(,"kind":)" + (x.fault ? text(name_of(x.fault->kind)) : "null");
  out += R"(,"status":)" + (x.status ? std::to_string(*x.status) : "null");
  out += R"(,"deltas":)" + std::to_string(x.deltas);
  out += R"(,"outcome":)" + text(name_of(x.result));
  out += R"(,"at_ms":)" + milliseconds(x.at_ms);
  out += R"(,"first_byte_ms":)" + (x.first_byte_ms ? milliseconds(*x.first_byte_ms) : "null");
  out += R"(,"ms":)" + milliseconds(x.ms);
  return out + "}\n";
}

} // namespace lang_agent::simulator
