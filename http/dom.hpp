/// RapidJSON as the codecs use it. Private to http/*.cpp: nobody else includes it.
#pragma once

#include <rapidjson/document.h>
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lang_agent::http::dom {

using value = rapidjson::Value;

inline std::string_view text(const value& x) {
  return {x.GetString(), x.GetStringLength()};
}

/// The member `name`, or null when it is absent or JSON null.
inline const value* find(const value& object, const char* name) {
  const auto i = object.FindMember(name);
  return i == object.MemberEnd() || i->value.IsNull() ? nullptr : &i->value;
}

inline const value* find_string(const value& object, const char* name) {
  const auto* x = find(object, name);
  return x && x->IsString() ? x : nullptr;
}

/// Compact JSON of a value.
inline std::string dump(const value& x) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer{buffer};
  x.Accept(writer);
  return {buffer.GetString(), buffer.GetSize()};
}

/// A parsed JSON object that also knows where in the text its parts stand, so that what we do not
/// change can travel byte for byte.
class spanned_document {
public:
  /// A member of the root object.
  struct member {
    const value* name;
    const value* content;
    std::string_view raw;               ///< its value in the text
    std::vector<std::string_view> rows; ///< of "messages" and "instructions": their elements
  };

  enum class outcome { ok, malformed, too_deep, not_an_object };

  /// Parses strictly: valid UTF-8, one document, no NUL bytes. `text` must outlive this.
  outcome parse(std::string_view text, unsigned max_depth);

  /// Where and why the text is malformed.
  const std::string& problem() const {
    return problem_;
  }

  const std::vector<member>& members() const {
    return members_;
  }

private:
  rapidjson::Document document_;
  std::vector<member> members_;
  std::string problem_;
};

} // namespace lang_agent::http::dom
