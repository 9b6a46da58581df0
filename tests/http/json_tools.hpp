/// What the tests of the codecs share: strict parsing, seeded random texts.
#pragma once

#include "tests/test.hpp"

#include "http/dom.hpp"

#include <random>

namespace lang_agent::test {

/// Parses as strictly as a client may: one document, valid UTF-8.
inline rapidjson::Document parsed(const std::string& json) {
  rapidjson::Document out;
  out.Parse<rapidjson::kParseValidateEncodingFlag>(json.data(), json.size());
  if (out.HasParseError())
    CAF_FAIL("no JSON at offset " << out.GetErrorOffset() << ": " << json);
  return out;
}

/// The value at a path like "choices/0/message/content", as compact JSON; "absent" if there is
/// none.
inline std::string at(const rapidjson::Value& root, const std::string& path) {
  const auto* x = &root;
  std::istringstream steps{path};
  for (std::string step; std::getline(steps, step, '/');) {
    if (x->IsArray()) {
      const auto i = static_cast<rapidjson::SizeType>(std::stoul(step));
      if (i >= x->Size())
        return "absent";
      x = &(*x)[i];
    } else {
      const auto member =
          x->IsObject() ? x->FindMember(step.c_str()) : rapidjson::Value::MemberIterator{};
      if (!x->IsObject() || member == x->MemberEnd())
        return "absent";
      x = &member->value;
    }
  }
  return http::dom::dump(*x);
}

inline std::string at(const std::string& json, const std::string& path) {
  return at(parsed(json), path);
}

/// Text with everything that needs care: escapes, control characters, several bytes a character.
inline std::string random_text(std::mt19937& random, std::size_t most) {
  static const std::vector<std::string> characters{
      "a",        "B",    " ", "\"", "\\",           "/", "\n", "\r", "\t",    std::string{"\0", 1},
      "\x1f",     "\x7f", "é", "中", "\xe2\x80\xa8", "😀", "{",  "]",  "data:", "\\u0041",
      "</script>"};
  std::string out;
  for (auto n = random() % (most + 1); n > 0; --n)
    out += characters[random() % characters.size()];
  return out;
}

} // namespace lang_agent::test
